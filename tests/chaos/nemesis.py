"""What befalls the engine's side as a run goes on: each act as often as the plan wants it."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable

from .crew import Crew
from .plan import DATABASE_CRASHED, KILLED, PAUSED, RESTARTED, Plan
from .stores import PostgresStore, Store

_DOWN_AT_MOST_SECONDS = 1.0


class Nemesis:
    """What it does to processes and their store.

    ``done`` counts its acts; ``last_at`` is when the last one was (monotonic seconds);
    ``recoveries`` has the seconds from when Postgres was back until a text reached CXone.

    Args:
        posted: how many texts were posted so far.
    """

    def __init__(
        self,
        plan: Plan,
        crew: Crew,
        store: Store,
        draw: random.Random,
        posted: Callable[[], int],
    ) -> None:
        self.done: Counter[str] = Counter()
        self.last_at = time.monotonic()
        self.recoveries: list[float] = []
        self._posted = posted
        self._back: tuple[float, int] | None = None
        self._store = store
        self._draw = draw
        self._wanted = plan.acts
        self._acts: dict[str, Callable[[], bool]] = {
            KILLED: crew.kill,
            PAUSED: crew.pause,
            RESTARTED: crew.restart_a_worker,
            DATABASE_CRASHED: self._crash_database,
        }

    def act(self, progress: float) -> None:
        """Do what is behind the run's progress (0 to 1), each act once at most."""
        self._see_recovery()
        for name, wanted in self._wanted.items():
            if self.done[name] < wanted * progress and self._acts[name]():
                self.done[name] += 1
                self.last_at = time.monotonic()

    @property
    def through(self) -> bool:
        """Whether nothing is left of the plan."""
        return all(self.done[name] >= wanted for name, wanted in self._wanted.items())

    @property
    def reach(self) -> float:
        """How far the run may go (0 to 1) without leaving the next acts behind."""
        if self.through:
            return math.inf
        return min((self.done[name] + 1) / n for name, n in self._wanted.items() if n)

    def _crash_database(self) -> bool:
        if not isinstance(self._store, PostgresStore):
            raise TypeError("only Postgres can crash")
        self._store.crash(down_seconds=self._draw.uniform(0, _DOWN_AT_MOST_SECONDS))
        self._back = self._back or (time.monotonic(), self._posted())
        return True

    def _see_recovery(self) -> None:
        if self._back is not None and self._posted() > self._back[1]:
            self.recoveries.append(time.monotonic() - self._back[0])
            self._back = None
