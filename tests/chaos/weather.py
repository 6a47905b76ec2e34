"""Faults as the run goes on: drawn from the seed, each row of the matrix as often as is wanted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sms_fsm.simulator import Fault, Simulator

from .fault_matrix import MARKS, variants

_WAITING_AT_MOST = 3
_REFUSED_SECONDS = 0.2
_SURPLUS = 1.15
"""More than is wanted, so that it is reached although some never find their call."""


@dataclass(slots=True)
class Weather:
    """Asks the simulator for faults; call `blow` with the run's progress (0 to 1) now and then.

    Args:
        wanted: how often each row is to strike in the whole run; those that are always on or done
            by others are left to them.
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
        for name in self._own:
            wanted = self.wanted[name]
            due = wanted * _SURPLUS * progress
            waiting = self._asked[name] - self.struck[name]
            if self._asked[name] < due and waiting < _WAITING_AT_MOST:
                self._ask(name)

    @property
    def through(self) -> bool:
        """Whether each row has struck often enough."""
        return all(self.struck[name] >= self.wanted[name] for name in self._own)

    @property
    def _own(self) -> list[str]:
        return [name for name in self.wanted if name == "F1" or _sporadic(name)]

    def _count(self) -> None:
        ledger = self.simulator.ledger
        self.struck.update(entry.fault for entry in ledger[self._seen :] if entry.fault)
        self._seen = len(ledger)

    def _ask(self, name: str) -> None:
        self._asked[name] += 1
        if name == "F1":
            self.simulator.refuse(_REFUSED_SECONDS, label="F1")
            return
        fault = self.draw.choice(_sporadic(name))
        self.simulator.fault(replace(fault, nth=self.draw.randint(1, 5)))


def _sporadic(name: str) -> list[Fault]:
    """The faults of a row that do not wait for a marked text."""
    return [fault for fault in variants(name) if fault.containing not in MARKS]
