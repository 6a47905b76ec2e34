"""What befalls the engine's side as a run goes on: each act as often as the plan wants it."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable

from .crew import Crew
from .plan import Plan
from .stores import PostgresStore, Store

KILLED = "killed at work"
PAUSED = "paused at work, beyond their lease"
RESTARTED = "workers restarted by SIGTERM"
DATABASE_CRASHED = "Postgres killed"

_DOWN_AT_MOST_SECONDS = 1.0


class Nemesis:
    """``done`` counts its acts; ``last_at`` is when the last one was (monotonic seconds)."""

    def __init__(self, plan: Plan, crew: Crew, store: Store, draw: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.last_at = time.monotonic()
        self._store = store
        self._draw = draw
        self._acts: dict[str, tuple[int, Callable[[], bool]]] = {
            KILLED: (plan.kills, crew.kill),
            PAUSED: (plan.pauses, crew.pause),
            RESTARTED: (plan.restarts, crew.restart_a_worker),
            DATABASE_CRASHED: (plan.database_crashes, self._crash_database),
        }

    def act(self, progress: float) -> None:
        """Do what is behind the run's progress (0 to 1), each act once at most."""
        for name, (wanted, act) in self._acts.items():
            if self.done[name] < wanted * progress and act():
                self.done[name] += 1
                self.last_at = time.monotonic()

    @property
    def through(self) -> bool:
        """Whether nothing is left of the plan."""
        return all(self.done[name] >= wanted for name, (wanted, _) in self._acts.items())

    @property
    def reach(self) -> float:
        """How far the run may go (0 to 1) without leaving the next acts behind."""
        shares = [(self.done[n] + 1) / wanted for n, (wanted, _) in self._acts.items() if wanted]
        return math.inf if self.through else min(shares)

    def _crash_database(self) -> bool:
        if not isinstance(self._store, PostgresStore):
            raise TypeError("only Postgres can crash")
        self._store.crash(down_seconds=self._draw.uniform(0, _DOWN_AT_MOST_SECONDS))
        return True
