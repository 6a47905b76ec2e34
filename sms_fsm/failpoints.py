"""Named places at which a test can make the process die, stop or fail. Otherwise they do nothing.

Each commit stands between ``commit.before`` and ``commit.after``, each HTTP call between
``call.before`` and ``call.after``, with ``call.answered`` when its headers have come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

POINTS = ("commit.before", "commit.after", "call.before", "call.answered", "call.after")

Listener = Callable[[str, str], None]
"""Is told the point and what passes it: the operationId of a call, nothing of a commit."""

_listeners: list[Listener] = []


def reach(point: str, subject: str = "") -> None:
    """Tell whoever listens that execution is here; they may raise, or not come back."""
    for listener in _listeners:
        listener(point, subject)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have every point of this process, in whatever thread, told to ``listener``."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
