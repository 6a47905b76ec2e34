"""The token endpoint: one grant in, one token out. Remembers nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from sms_fsm.clock import Clock
from sms_fsm.cxone.calls import Call, Kind
from sms_fsm.cxone.deadline import Deadline
from sms_fsm.cxone.failures import translated
from sms_fsm.cxone.refusals import refusal
from sms_fsm.cxone.transport import Transport
from sms_fsm.errors import CXoneError
from sms_fsm.ports import StoredToken

USUAL_LIFETIME_SECONDS = 3600.0
_LONGEST_USE_SECONDS = 3000.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and the scopes that came with it, space-separated; None when none were named."""

    token: StoredToken
    scope: str | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it need not be renewed yet: for 5/6 of its lifetime, at most 3000 s."""
        return self._age(now) < min(_LONGEST_USE_SECONDS, self.token.expires_in_seconds * 5 / 6)

    def is_alive(self, now: datetime) -> bool:
        return self._age(now) < self.token.expires_in_seconds

    def _age(self, now: datetime) -> float:
        return (now - self.token.issued_at).total_seconds()


class TokenIssuer:
    """Asks for tokens in the name of one client."""

    def __init__(
        self,
        transport: Transport,
        *,
        client_id: str,
        client_secret: SecretStr,
        scopes: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self.scopes = scopes
        self._transport = transport
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock

    def issue(self, previous: Grant | None, deadline: Deadline) -> Grant:
        """A new token: by the refresh grant, or where that is refused by client credentials.

        Raises:
            CXoneError: refused, or no answer.
        """
        if previous is None or previous.token.refresh_token is None:
            return self._opened(deadline)
        try:
            return self._refreshed(previous, deadline)
        except CXoneError as error:
            if not _refused(error):
                raise
        return self._opened(deadline)

    def _opened(self, deadline: Deadline) -> Grant:
        return self._granted("client_credentials", deadline, scope=SecretStr(" ".join(self.scopes)))

    def _refreshed(self, previous: Grant, deadline: Deadline) -> Grant:
        """What the answer leaves out goes on as it was (RFC 6749 §5.1 and §6)."""
        spent = SecretStr(previous.token.refresh_token or "")
        grant = self._granted("refresh_token", deadline, refresh_token=spent)
        return Grant(
            replace(
                grant.token,
                refresh_token=grant.token.refresh_token or previous.token.refresh_token,
            ),
            previous.scope if grant.scope is None else grant.scope,
        )

    def _granted(self, grant_type: str, deadline: Deadline, **fields: SecretStr) -> Grant:
        asked_at = self._clock()
        form = {
            "grant_type": SecretStr(grant_type),
            "client_id": SecretStr(self._client_id),
            "client_secret": self._client_secret,
            **fields,
        }
        call = Call("issueToken", "POST", ("oauth", "token"), form=form)
        answer = self._transport.send(call, deadline)
        if answer.kind != Kind.SUCCESS:
            raise refusal(call, answer, self._clock())
        return translated(call, lambda: _grant(answer.body, asked_at), answer.status)


def _refused(error: CXoneError) -> bool:
    """Whether the refresh token is no good. Being asked to slow down says nothing about it."""
    status = error.status or 0
    return status // 100 == Kind.CLIENT_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS


class _Token(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$", repr=False)]
    refresh_token: Annotated[str | None, Field(repr=False)] = None
    token_type: Annotated[str, Field(pattern=r"^(?i:bearer)$")] = "Bearer"  # noqa: S105  # a kind, no secret
    expires_in: Any = None
    scope: Any = None


def _grant(body: bytes, issued_at: datetime) -> Grant:
    token = _Token.model_validate_json(body)
    stored = StoredToken(
        access_token=token.access_token,
        refresh_token=token.refresh_token or None,
        issued_at=issued_at,
        expires_in_seconds=_lifetime(token.expires_in),
    )
    return Grant(stored, token.scope if isinstance(token.scope, str) else None)


def _lifetime(expires_in: Any) -> float:
    """Seconds, also from text; the usual lifetime for what can't be one."""
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError, OverflowError):
        return USUAL_LIFETIME_SECONDS
    usable = math.isfinite(seconds) and seconds > 0 and not isinstance(expires_in, bool)
    return seconds if usable else USUAL_LIFETIME_SECONDS
