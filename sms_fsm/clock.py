"""Time as something that is passed in, so that tests and replay can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sms_fsm.errors import SettingsError

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC ``datetime``. It rules due times, windows and token age."""


def system_clock() -> datetime:
    """The machine's time, aware and in UTC."""
    return datetime.now(UTC)


def in_utc(clock: Callable[[], datetime]) -> Clock:
    """A host's clock, which may show the time of any zone, as one that shows UTC.

    Python adds to the hands of a clock: in a zone with summer time a wait over the change would
    be an hour off (PEP 495).

    Raises:
        SettingsError: what the clock gives, now or later, is no aware ``datetime``.
    """

    def present() -> datetime:
        now = clock()
        if not isinstance(now, datetime) or now.utcoffset() is None:
            raise SettingsError("clock: expected it to give a datetime with its time zone")
        return now.astimezone(UTC)

    present()
    return present
