"""The processes of a run: started, killed at work, paused beyond their lease, asked to stop."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from .board import Board
from .nursery import Child, Nursery
from .site import Site

_AT_WORK_SECONDS = 0.05
_PAUSE_EVERY = 25
_STOP_SECONDS = 15.0
_LOOK_EVERY_SECONDS = 0.02
_MOMENT_SECONDS = 0.03


class Crew:
    """All processes of the engine's side; each has a place, where another follows it.

    ``deaths`` counts crashes of processes at work by what they had last done, ``improper`` ends
    other than by request.
    """

    def __init__(self, site: Site, nursery: Nursery, draw: random.Random) -> None:
        self.deaths: Counter[str] = Counter()
        self.improper = 0
        self.restarts = 0
        self._lease_seconds = site.lease_seconds
        self._nursery = nursery
        self._draw = draw
        self._board = Board(Path(site.folder) / "board")
        self._children: dict[int, Child] = {}

    def start(self, role: str, count: int) -> None:
        """So many processes of a role, beside those already there."""
        for _ in range(count):
            place = len(self._children)
            self._children[place] = self._nursery.start(role, place)

    def strike(self) -> None:
        """Kill a process that is at work, if one is found; every 25th is paused instead."""
        time.sleep(self._draw.uniform(0, _MOMENT_SECONDS))
        child = self._children[self._draw.choice(sorted(self._children))]
        seen = self._board.read(child.place)
        if not seen.passed or seen.seconds_ago > _AT_WORK_SECONDS:
            return
        if self.deaths.total() % _PAUSE_EVERY == _PAUSE_EVERY - 1:
            self._pause(child)
            self.deaths[f"{child.role} paused beyond its lease"] += 1
            return
        child.send(signal.SIGKILL)
        await_that(lambda: not child.alive, _STOP_SECONDS)
        last = self._board.read(child.place)
        self.deaths[f"{child.role} after {last.point} {last.subject}".strip()] += 1
        self._replace(child)

    def _pause(self, child: Child) -> None:
        seconds = self._lease_seconds * self._draw.uniform(1.1, 2)
        child.send(signal.SIGSTOP)
        threading.Timer(seconds, lambda: child.send(signal.SIGCONT)).start()

    def restart_a_worker(self) -> None:
        """Ask one worker to stop, the next one each time, and start another in its place."""
        workers = [child for child in self._children.values() if child.role == "worker"]
        child = workers[self.restarts % len(workers)]
        self.restarts += 1
        self._stop([child])
        self._replace(child)

    def stop(self) -> None:
        """Ask everybody to stop."""
        self._stop(self._children.values())

    def _replace(self, child: Child) -> None:
        self._children[child.place] = self._nursery.start(child.role, child.place)

    def _stop(self, children: Iterable[Child]) -> None:
        leaving = list(children)
        for child in leaving:
            child.send(signal.SIGTERM)
        await_that(lambda: not any(child.alive for child in leaving), _STOP_SECONDS)
        for child in leaving:
            if child.alive or self._board.read(child.place).point != "ended":
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
