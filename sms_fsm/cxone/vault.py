"""Where processes share one token, encrypted, with one of them at a time renewing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import uuid4

import keyring
from cryptography.fernet import Fernet, InvalidToken
from keyring.errors import KeyringError
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from sms_fsm.config import Settings, is_fernet_key
from sms_fsm.cxone.issuer import Grant
from sms_fsm.errors import CXoneError, StoreUnavailable
from sms_fsm.logs import get_logger
from sms_fsm.ports import StoredToken, TokenStore

KEYRING_SERVICE = "sms-fsm"

_log = get_logger(__name__)


def token_key(settings: Settings) -> str | None:
    """The Fernet key for shared tokens: the settings' own, else the system keyring's.

    The keyring's entry has the service ``sms-fsm`` and the client_id as its user name. A machine
    without a keyring, or with an entry that is no Fernet key, has no key.
    """
    if settings.token_key is not None:
        return settings.token_key.get_secret_value()
    if settings.client_id is None:
        return None
    try:
        found = keyring.get_password(KEYRING_SERVICE, settings.client_id)
    except KeyringError as error:
        _log.debug("token.no_keyring", reason=type(error).__name__)
        return None
    if found is not None and not is_fernet_key(found):
        _log.warning("token.keyring_entry_is_no_key")
        return None
    return found


class TokenVault:
    """One holder's view of a `TokenStore`. All its methods raise `CXoneError` alone.

    Args:
        key: a Fernet key.
    """

    def __init__(self, store: TokenStore, key: str) -> None:
        self._cipher = Fernet(key)
        self._store = store
        self._holder = uuid4().hex

    def published(self) -> Grant | None:
        """The newest token, whoever got it; None when there is none that this key opens."""
        with _as_platform_error():
            stored = self._store.load()
        if stored is None:
            return None
        try:
            return _Sealed.model_validate_json(self._cipher.decrypt(stored[1])).grant()
        except (InvalidToken, ValidationError) as error:
            _log.warning("token.unreadable", reason=type(error).__name__)
            return None

    def claim(self, seconds: float) -> bool:
        """Whether this holder may renew now. One that dies loses the claim in so many seconds."""
        with _as_platform_error():
            return self._store.lease(self._holder, seconds)

    def publish(self, grant: Grant) -> None:
        """Store a new token, before anyone uses it."""
        ciphertext = self._cipher.encrypt(_Sealed.of(grant).model_dump_json().encode())
        with _as_platform_error():
            self._store.save(ciphertext, self._holder)

    def release(self) -> None:
        """End the claim. It runs out by itself, so a store that is gone does no harm here."""
        try:
            self._store.release(self._holder)
        except StoreUnavailable:
            _log.warning("token.lease_left_to_expire")


class _Sealed(BaseModel):
    """A grant as it is encrypted."""

    access_token: Annotated[str, Field(repr=False)]
    refresh_token: Annotated[str | None, Field(repr=False)]
    issued_at: AwareDatetime
    expires_in_seconds: float
    scope: str | None

    @classmethod
    def of(cls, grant: Grant) -> _Sealed:
        token = grant.token
        return cls(
            access_token=token.access_token,
            refresh_token=token.refresh_token,
            issued_at=token.issued_at,
            expires_in_seconds=token.expires_in_seconds,
            scope=grant.scope,
        )

    def grant(self) -> Grant:
        token = StoredToken(
            self.access_token, self.refresh_token, self.issued_at, self.expires_in_seconds
        )
        return Grant(token, self.scope)


@contextmanager
def _as_platform_error() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable:
        raise CXoneError(
            "issueToken", status=None, code="store_unavailable", retryable=True
        ) from None
