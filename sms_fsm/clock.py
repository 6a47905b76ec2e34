"""Time as something that is passed in, so that tests and replay can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC ``datetime``. It rules due times, windows and token age."""


def system_clock() -> datetime:
    """The machine's time, aware and in UTC."""
    return datetime.now(UTC)
