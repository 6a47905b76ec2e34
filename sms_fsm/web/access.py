"""Who may come in: one token for all, compared in constant time, and a pause after wrong ones."""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi import Request
from pydantic import SecretStr

from sms_fsm.web.answers import Refused

_MOST_FAILURES = 5
_WINDOW_SECONDS = 60.0
_MOST_ADDRESSES = 10_000

OFF = "this part is off: set api_token (SMS_FSM_API_TOKEN) and start again"


class Lockout:
    """Counts failures by address: five within a minute, and nobody comes in from there for one.

    In memory, so each process counts for itself. The oldest addresses are forgotten first.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def rest(self, address: str) -> float:
        """Seconds until this address may try again; 0 if it may now."""
        with self._lock:
            recent = self._recent(address)
        if len(recent) < _MOST_FAILURES:
            return 0.0
        return recent[-1] + _WINDOW_SECONDS - self._now()

    def failed(self, address: str) -> None:
        """One more failure from here."""
        with self._lock:
            self._failures[address] = [*self._recent(address), self._now()]
            self._failures.move_to_end(address)
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._now() - _WINDOW_SECONDS
        return [at for at in self._failures.get(address, ()) if at > since][-_MOST_FAILURES:]


class Gate:
    """Checks the API token.

    Args:
        token: None: API and page are off.
    """

    def __init__(self, token: SecretStr | None) -> None:
        self._token = None if token is None else token.get_secret_value().strip()
        self._lockout = Lockout()

    @property
    def token(self) -> str:
        """The token itself, as key material.

        Raises:
            Refused: 403, there is none.
        """
        if self._token is None:
            raise Refused(403, OFF)
        return self._token

    def check(self, request: Request, given: str) -> None:
        """Let the right token through.

        Raises:
            Refused: 401 for a wrong token, 429 after too many of them, 403 if there is none.
        """
        address = request.client.host if request.client else ""
        rest = self._lockout.rest(address)
        if rest > 0:
            raise Refused(429, "too many wrong tokens", {"Retry-After": str(int(rest) + 1)})
        if not hmac.compare_digest(given.encode(errors="replace"), self.token.encode()):
            self._lockout.failed(address)
            raise Refused(401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})

    def bearer(self, request: Request) -> None:
        """The same for a token in the header ``Authorization``."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        self.check(request, given.strip() if scheme.lower() == "bearer" else "")
