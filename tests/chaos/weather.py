"""Faults as the run goes on: drawn from the seed, each row of the matrix as often as is wanted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sms_fsm.simulator import Simulator

from .fault_matrix import MARKS, variants

_WAITING_AT_MOST = 3
_REFUSED_SECONDS = 0.2
_SURPLUS = 1.15
"""More than is wanted, so that it is reached although some never find their call."""


@dataclass(slots=True)
class Weather:
    """Asks the simulator for faults; call `blow` with the run's progress (0 to 1) now and then.

    Args:
        wanted: how often each row is to strike in the whole run.
    """

    simulator: Simulator
    wanted: Mapping[str, int]
    draw: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)
    _seen: int = 0

    def blow(self, progress: float) -> None:
        """Ask for what is behind, one of each row at most."""
        self._count()
        for name, wanted in self.wanted.items():
            due = wanted * _SURPLUS * progress
            waiting = self._asked[name] - self.struck[name]
            if self._asked[name] < due and waiting < _WAITING_AT_MOST:
                self._ask(name)

    def _count(self) -> None:
        ledger = self.simulator.ledger
        self.struck.update(entry.fault for entry in ledger[self._seen :] if entry.fault)
        self._seen = len(ledger)

    def _ask(self, name: str) -> None:
        self._asked[name] += 1
        if name == "F1":
            self.simulator.refuse(_REFUSED_SECONDS, label="F1")
            return
        fault = self.draw.choice([f for f in variants(name) if f.containing not in MARKS])
        self.simulator.fault(replace(fault, nth=self.draw.randint(1, 5)))
