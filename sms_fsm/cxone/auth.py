"""Who has the token: renewed in time, by one thread of one process, and kept while it lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from time import sleep
from typing import TYPE_CHECKING, TypeGuard

from sms_fsm.clock import Clock
from sms_fsm.cxone.deadline import Deadline
from sms_fsm.cxone.issuer import Grant, TokenIssuer
from sms_fsm.cxone.spacing import Spacing
from sms_fsm.errors import CXoneError
from sms_fsm.logs import get_logger
from sms_fsm.ports import StoredToken

if TYPE_CHECKING:
    from sms_fsm.cxone.vault import TokenVault  # it loads what only calls to CXone need

_LEASE_SECONDS = 10.0
_WITHIN_LEASE_SECONDS = 0.9 * _LEASE_SECONDS
_POLL_SECONDS = 0.05

_log = get_logger(__name__)


class TokenProvider:
    """Gives a token that is good now. Any number of threads may ask at once.

    A token is renewed ``min(3000, 5/6 of expires_in)`` seconds after its issue. While an old one
    still lives nobody waits for the new one, and a renewal that fails leaves it in use. After
    failures, attempts are spaced 1 s growing to 300 s.

    Args:
        clock: rules token age and spacing. Waiting for other threads and processes takes real
            time, within the caller's ``timeout_seconds``.
        open_vault: gives where processes share the token, or None to keep it in memory. It may
            ask the system's keyring, which starts programs: a process that makes no call is
            spared that.
    """

    def __init__(
        self, issuer: TokenIssuer, *, clock: Clock, open_vault: Callable[[], TokenVault | None]
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._open_vault = open_vault
        self._lock = Lock()
        self._spacing = Spacing()
        self._held: Grant | None = None
        self._rejected: str | None = None

    @cached_property
    def _vault(self) -> TokenVault | None:
        """Used under the lock alone."""
        return self._open_vault()

    def current(self, *, timeout_seconds: float) -> StoredToken:
        """A token that is good now.

        Raises:
            CXoneError: of ``issueToken``; ``retry_after_seconds`` is the rest of the spacing.
        """
        return self._grant(Deadline.after(timeout_seconds)).token

    def renew(self, rejected: StoredToken, *, timeout_seconds: float) -> StoredToken:
        """Another token than this one, which the platform answered 401 to.

        Raises:
            CXoneError: as `current`.
        """
        self._rejected = rejected.access_token
        return self.current(timeout_seconds=timeout_seconds)

    def scopes_missing(self, *, timeout_seconds: float) -> tuple[str, ...]:
        """The scopes asked for that were not granted; none when the answer named no scopes,
        which means all (RFC 6749 §5.1).

        Raises:
            CXoneError: as `current`.
        """
        granted = self._grant(Deadline.after(timeout_seconds)).scope
        if granted is None:
            return ()
        return tuple(scope for scope in self._issuer.scopes if scope not in granted.split())

    def _grant(self, deadline: Deadline) -> Grant:
        held = self._held
        if self._is_fresh(held):
            return held
        if not self._is_alive(held):
            return self._renewed(deadline)
        if self._spacing.rest(self._clock()):
            return held
        try:
            return self._renewed(deadline.within(deadline.rest / 2), wait=False)
        except CXoneError as error:
            _log.debug("token.kept", code=error.code, status=error.status)
            return held

    def _renewed(self, deadline: Deadline, *, wait: bool = True) -> Grant:
        with self._alone(deadline, wait=wait):
            found = self._found()
            if found is None:
                self._spacing.check(self._clock())
                found = self._issued_for_all(deadline, wait=wait)
            return found

    @contextmanager
    def _alone(self, deadline: Deadline, *, wait: bool) -> Iterator[None]:
        if not self._lock.acquire(timeout=deadline.rest if wait else 0):
            raise _busy()
        try:
            yield
        finally:
            self._lock.release()

    def _found(self) -> Grant | None:
        """A fresh token that another thread or process got meanwhile."""
        if not self._is_fresh(self._held) and self._vault is not None:
            self._held = self._vault.published() or self._held
        return self._held if self._is_fresh(self._held) else None

    def _issued_for_all(self, deadline: Deadline, *, wait: bool) -> Grant:
        """A new token, by whichever process holds the lease."""
        if self._vault is None:
            return self._issued(deadline)
        while not self._vault.claim(_LEASE_SECONDS):
            if not wait or deadline.rest <= _POLL_SECONDS:
                raise _busy()
            sleep(_POLL_SECONDS)
            if (found := self._found()) is not None:
                return found
        try:
            return self._found() or self._issued(deadline.within(_WITHIN_LEASE_SECONDS))
        finally:
            self._vault.release()

    def _issued(self, deadline: Deadline) -> Grant:
        try:
            grant = self._issuer.issue(self._held, deadline)
            if self._vault is not None:
                self._vault.publish(grant)
        except CXoneError as error:
            _log.warning("token.refused", code=error.code, status=error.status)
            raise self._spacing.failed(error, self._clock()) from None
        self._spacing.succeeded()
        self._held, self._rejected = grant, None
        _log.info("token.renewed", expires_in_seconds=grant.token.expires_in_seconds)
        return grant

    def _is_fresh(self, grant: Grant | None) -> TypeGuard[Grant]:
        return self._is_accepted(grant) and grant.is_fresh(self._clock())

    def _is_alive(self, grant: Grant | None) -> TypeGuard[Grant]:
        return self._is_accepted(grant) and grant.is_alive(self._clock())

    def _is_accepted(self, grant: Grant | None) -> TypeGuard[Grant]:
        return grant is not None and grant.token.access_token != self._rejected


def _busy() -> CXoneError:
    """Another thread or process is getting the token and was not done in time."""
    return CXoneError("issueToken", status=None, code="timeout", retryable=True)
