"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

_TWO_DIGITS = 10


def exactly(duration: timedelta) -> str:
    """A duration in its largest whole unit up to hours: ``72h``, ``15min``, ``90s``."""
    seconds = int(duration.total_seconds())
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def about(duration: timedelta) -> str:
    """A duration to two digits or so: ``0.4 s``, ``35 s``, ``12 min``, ``3.5 h``, ``4 d``."""
    seconds = duration.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds)} s"


def _short(amount: float) -> str:
    return f"{amount:.0f}" if amount >= _TWO_DIGITS else f"{amount:.1f}".removesuffix(".0")
