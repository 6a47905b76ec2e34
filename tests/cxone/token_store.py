"""An in-memory `ports.TokenStore` with leases of real seconds, as a database keeps them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from sms_fsm.errors import StoreUnavailable


class MemoryTokenStore:
    def __init__(self) -> None:
        self.stored: tuple[int, bytes] | None = None
        self.broken = False
        self.asked_seconds: list[float] = []
        self.loads = 0
        self.before_lease: Callable[[], None] | None = None
        self._lock = Lock()
        self._holder: str | None = None
        self._until = 0.0

    def load(self) -> tuple[int, bytes] | None:
        self._check()
        self.loads += 1
        return self.stored

    def save(self, ciphertext: bytes, holder: str) -> int:
        self._check()
        with self._lock:
            version = self.stored[0] + 1 if self.stored else 1
            self.stored = (version, ciphertext)
        self.release(holder)
        return version

    def lease(self, holder: str, seconds: float) -> bool:
        self._check()
        self.asked_seconds.append(seconds)
        if self.before_lease is not None:
            act, self.before_lease = self.before_lease, None
            act()
        with self._lock:
            if self._holder not in {None, holder} and monotonic() < self._until:
                return False
            self._holder, self._until = holder, monotonic() + seconds
            return True

    def release(self, holder: str) -> None:
        self._check()
        with self._lock:
            if self._holder == holder:
                self._holder = None

    @property
    def leased(self) -> bool:
        return self._holder is not None and monotonic() < self._until

    def _check(self) -> None:
        if self.broken:
            raise StoreUnavailable("the store is gone")
