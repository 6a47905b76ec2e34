"""Settings of one engine: one CXone tenant and one store. All durations are in seconds."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from sms_fsm.errors import SettingsError
from sms_fsm.sms import Overflow

GUIDE_SCOPES = (
    "conversations.read",
    "conversations.write",
    "participants.read",
    "participants.write",
    "messages.read",
    "messages.write",
    "delivery-status.read",
)


class Settings(BaseModel):
    """What a host decides. Reads nothing but its arguments; `from_env` reads the environment.

    Args:
        database_url: ``sqlite:///file.db`` or ``postgresql://user:password@host/name``.
        graph: path of a graph document; None is the one that comes with the package.
        cxone_url: base of CXone's Digital API, such as ``https://api.example.com``.
        queue_id, skills: where new conversations are routed.
        max_segments: the most SMS segments that one post to CXone may have.
        overflow: what becomes of a longer text: split into posts, truncated or refused.
        request_timeout_seconds: the whole of one call, token included.
        lease_seconds: how long a worker holds an effect before another may take it over.
        settle_seconds: until an unanswered call must have been applied or dropped.
        archive_check_after_seconds: silence after which the archived flag is read before posting.
        dedupe_window_seconds: how long repeated callbacks are told apart, from the first sighting.
        token_key: Fernet key (32 url-safe base64 bytes); with it processes share one token.
        webhook_secret: Standard Webhooks secret; several, comma-separated, while keys rotate.
        workers: threads of `Engine.drain` and `Engine.work`.

    Raises:
        SettingsError: names every field that is wrong, never its value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    database_url: str = Field("sqlite:///sms_fsm.db", repr=False)
    graph: Path | None = None
    cxone_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    scopes: tuple[str, ...] = GUIDE_SCOPES
    queue_id: str | None = None
    skills: tuple[str, ...] = ()
    max_segments: int = Field(10, ge=1, le=255)
    overflow: Overflow = Overflow.SPLIT
    request_timeout_seconds: float = Field(10, gt=0, allow_inf_nan=False)
    lease_seconds: float = Field(60, gt=0, allow_inf_nan=False)
    settle_seconds: float = Field(60, ge=0, allow_inf_nan=False)
    backoff_base_seconds: float = Field(1, gt=0, allow_inf_nan=False)
    backoff_max_seconds: float = Field(300, gt=0, allow_inf_nan=False)
    archive_check_after_seconds: float = Field(86_400, ge=0, allow_inf_nan=False)
    dedupe_window_seconds: float = Field(86_400, gt=0, allow_inf_nan=False)
    token_key: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    api_token: SecretStr | None = None
    workers: int = Field(4, ge=1, le=64)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Settings from arguments, then ``SMS_FSM_…`` variables, then a ``.env`` file.

        Raises:
            SettingsError: names every variable that is wrong, never its value.
        """
        from sms_fsm.environment import Environment  # noqa: PLC0415 - not every host reads it

        try:
            found = Environment().model_dump(exclude_none=True)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None
        found |= {name: value for name, value in overrides.items() if value is not None}
        return cls(**{name: _listed(name, value) for name, value in found.items()})

    def require_platform(self) -> None:
        """Check that everything needed to call CXone is there.

        Raises:
            SettingsError: names every setting that is missing.
        """
        needed = ("cxone_url", "client_id", "client_secret", "queue_id")
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise SettingsError("\n".join(f"{name}: missing" for name in missing))

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets that are good now; the first is the newest."""
        if self.webhook_secret is None:
            return ()
        return tuple(
            part.strip()
            for part in self.webhook_secret.get_secret_value().split(",")
            if part.strip()
        )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if not separator or scheme not in _DATABASES:
            expected = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
            raise ValueError(f"expected {expected}")
        if scheme == "sqlite" and not rest.lstrip("/"):
            raise ValueError("sqlite needs a file: sqlite:///FILE (a store in memory is no store)")
        return f"{_DATABASES[scheme]}://{rest}"

    @field_validator("cxone_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("expected https://HOST")
        return value.rstrip("/") if value else value

    @field_validator("client_id", "queue_id", "client_secret", "api_token", "webhook_secret")
    @classmethod
    def _not_empty(cls, value: SecretStr | str | None) -> SecretStr | str | None:
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if plain is not None and not plain.strip():
            raise ValueError("must not be empty")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signing_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        parts = value.get_secret_value().split(",") if value else ()
        if not all(
            _is_base64(part.strip().removeprefix("whsec_")) for part in parts if part.strip()
        ):
            raise ValueError("expected base64, as Standard Webhooks has it: whsec_…")
        return value

    @field_validator("token_key")
    @classmethod
    def _fernet_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_fernet_key(value.get_secret_value()):
            raise ValueError("expected a Fernet key: 32 url-safe base64 bytes")
        return value


_DATABASES = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

_LISTS = frozenset({"scopes", "skills"})


def is_fernet_key(text: str) -> bool:
    """Whether it is 32 bytes in url-safe base64."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - only hosts that share tokens need it

    try:
        Fernet(text)
    except (ValueError, TypeError):
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text))
    except ValueError:
        return False


def _listed(name: str, value: Any) -> Any:
    if name in _LISTS and isinstance(value, str):
        return tuple(part.strip() for part in value.replace(",", " ").split())
    return value


def _explain(error: ValidationError) -> str:
    """One line a field. The values stay out: some are secrets."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(part) for part in problem["loc"]) or "settings"
        lines.append(f"{field}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
