"""A present that stands still until a test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class FrozenClock:
    """Give it to `Engine.from_settings(clock=…)`; safe from any number of threads.

    Args:
        now: where it begins, aware.

    Raises:
        ValueError: ``now`` has no time zone.
    """

    def __init__(self, now: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC)) -> None:
        if now.utcoffset() is None:
            raise ValueError("now: expected an aware time")
        self._now = now
        self._moving = threading.Lock()

    def __call__(self) -> datetime:
        """The present."""
        return self._now

    def forward(
        self, length: timedelta = timedelta(), *, seconds: float = 0, hours: float = 0
    ) -> datetime:
        """Move on by ``length`` and so many seconds and hours; gives the new present.

        Raises:
            ValueError: time would run backwards.
        """
        length += timedelta(seconds=seconds, hours=hours)
        if length < timedelta():
            raise ValueError("length: time does not run backwards")
        with self._moving:
            self._now += length
            return self._now
