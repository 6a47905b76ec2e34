"""The processes of a run: started, killed at work, paused beyond their lease, asked to stop."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

from .board import Board
from .nursery import Child, Nursery
from .site import Site

_AT_WORK_SECONDS = 0.05
_STOP_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.02
_MOMENT_SECONDS = 0.03


class Crew:
    """All processes of the engine's side; each has a place, where another follows it.

    ``killed`` counts what killed processes had last done, ``improper`` ends other than by request.
    An act gives False when nobody was found to whom it could be done.
    """

    def __init__(self, site: Site, nursery: Nursery, draw: random.Random) -> None:
        self.killed: Counter[str] = Counter()
        self.improper = 0
        self._lease_seconds = site.lease_seconds
        self._nursery = nursery
        self._draw = draw
        self._board = Board(Path(site.folder) / "board")
        self._children: dict[int, Child] = {}  # by place, the longest in service first
        self._leaving: list[tuple[Child, float]] = []

    def start(self, role: str, number: int) -> None:
        """So many processes of a role, beside those already there."""
        for _ in range(number):
            self._start(role, self._free_place())

    def kill(self) -> bool:
        """Kill a process that is at work, at any moment; another takes its place."""
        child = self._met_at_work()
        if child is None:
            return False
        child.send(signal.SIGKILL)
        await_that(lambda: not child.alive, _STOP_SECONDS)
        last = self._board.read(child.place)
        self.killed[f"{child.role} after {last.point} {last.subject}".strip()] += 1
        del self._children[child.place]
        self._start(child.role, child.place)
        return True

    def pause(self) -> bool:
        """Pause a process that is at work until its lease is over."""
        child = self._met_at_work()
        if child is None:
            return False
        seconds = self._lease_seconds * self._draw.uniform(1.1, 2)
        child.send(signal.SIGSTOP)
        threading.Timer(seconds, child.send, [signal.SIGCONT]).start()
        return True

    def restart_a_worker(self) -> bool:
        """Ask the worker that served longest to stop, when the one before it has left."""
        self._see_off()
        workers = (c for c in self._children.values() if c.role == "worker" and self._works(c))
        child = None if self._leaving else next(workers, None)
        if child is None:
            return False
        self._dismiss(child)
        self.start("worker", 1)
        return True

    def stop(self) -> None:
        """Ask everybody to stop."""
        for child in list(self._children.values()):
            self._dismiss(child)
        await_that(self._all_left, 2 * _STOP_SECONDS)

    def _met_at_work(self) -> Child | None:
        time.sleep(self._draw.uniform(0, _MOMENT_SECONDS))
        working = [child for child in self._children.values() if self._works(child)]
        return self._draw.choice(working) if working else None

    def _works(self, child: Child) -> bool:
        seen = self._board.read(child.place)
        return bool(seen.passed) and seen.seconds_ago < _AT_WORK_SECONDS

    def _start(self, role: str, place: int) -> None:
        self._board.clear(place)  # what its predecessor did is no work of its own
        self._children[place] = self._nursery.start(role, place)

    def _free_place(self) -> int:
        taken = {*self._children, *(child.place for child, _ in self._leaving)}
        return next(place for place in count() if place not in taken)

    def _dismiss(self, child: Child) -> None:
        child.send(signal.SIGTERM)
        del self._children[child.place]
        self._leaving.append((child, time.monotonic() + _STOP_SECONDS))

    def _all_left(self) -> bool:
        self._see_off()
        return not self._leaving

    def _see_off(self) -> None:
        """Those whose time to leave is over are gone now, one way or the other."""
        leaving, self._leaving = self._leaving, []
        for child, until in leaving:
            if child.alive and time.monotonic() < until:
                self._leaving.append((child, until))
            elif child.alive or self._board.read(child.place).point != "ended":
                self.improper += 1
                child.send(signal.SIGKILL)


def await_that(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true within so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_EVERY_SECONDS)
    return True
