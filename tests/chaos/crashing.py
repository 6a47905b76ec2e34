"""Dying at a failpoint inside the test's own process: what was begun stays as a crash leaves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sms_fsm.failpoints import listening


class Crash(BaseException):
    """The process is gone, as far as the code under test can tell: nothing catches it."""


@contextmanager
def at(
    point: str, act: Callable[[], object], *, subject: str | None = None, nth: int = 1
) -> Iterator[None]:
    """Do something when the ``nth`` passer (with this subject) reaches a point, once."""
    passed = 0
    counting = threading.Lock()

    def listen(reached: str, passer: str) -> None:
        nonlocal passed
        if reached != point or subject not in (None, passer):
            return
        with counting:
            passed += 1
            mine = passed == nth
        if mine:
            act()

    with listening(listen):
        yield


def crash() -> None:
    raise Crash


@contextmanager
def crash_at(point: str, *, subject: str | None = None, nth: int = 1) -> Iterator[None]:
    """Die there; the crash ends at the end of the ``with``, where it is swallowed.

    Raises:
        AssertionError: nobody came that way.
    """
    try:
        with at(point, crash, subject=subject, nth=nth):
            yield
    except Crash:
        return
    raise AssertionError(f"nobody reached {point} {subject or ''} {nth} times")
