"""What a run was and what it found, for people (Markdown) and for machines (JSON)."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .fault_matrix import MATRIX, wanted
from .plan import Plan

_DRAIN_SECONDS = 60.0
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Report:
    """One run.

    ``drained_seconds`` counts from the last act of the nemesis until nothing was left to do; None:
    too long. ``killed`` is what killed processes had last done, ``struck`` how often each fault.
    ``recoveries_seconds`` count from when Postgres was back until a text reached CXone, which is
    the engine's doing only where texts are due all the time: in a long run.
    ``findings`` holds what each check found; all empty is what the engine is held to.
    """

    store: str
    plan: Plan
    seconds: float
    drained_seconds: float | None
    conversations: int
    texts: int
    calls: Mapping[str, int]
    struck: Mapping[str, int]
    acts: Mapping[str, int]
    killed: Mapping[str, int]
    improper_ends: int
    dead_letters: int
    findings: Mapping[str, tuple[str, ...]]
    recoveries_seconds: tuple[float, ...] = ()

    @property
    def problems(self) -> dict[str, tuple[str, ...]]:
        """The checks that found something, each with the first of it."""
        found = {name: some[:_SHOWN] for name, some in self.findings.items() if some}
        if self.drained_seconds is None or self.drained_seconds > _DRAIN_SECONDS:
            found["not drained in time"] = (str(self.drained_seconds),)
        if self.improper_ends:
            found["ended improperly after SIGTERM"] = (str(self.improper_ends),)
        return found

    @property
    def uncovered(self) -> dict[str, int]:
        """Faults that struck, and acts that were done, less often than the plan wants."""
        done = Counter({**self.struck, **self.acts})
        return {name: done[name] for name, least in self._floors.items() if done[name] < least}

    @property
    def _floors(self) -> dict[str, int]:
        return wanted(self.plan.usual, self.plan.ambiguous) | self.plan.acts

    @property
    def _summary(self) -> str:
        return (
            f"{self.conversations} conversations, {self.texts} texts in CXone, "
            f"{sum(self.calls.values())} calls in {self.seconds} s; "
            f"drained {self.drained_seconds} s after the last crash; "
            f"{self.dead_letters} dead letters.{self._recovered}"
        )

    @property
    def _recovered(self) -> str:
        if not self.recoveries_seconds:
            return ""
        usual, longest = statistics.median(self.recoveries_seconds), max(self.recoveries_seconds)
        return f" Texts went on {usual:.2f} s after Postgres was back, {longest} s at most."

    def as_json(self) -> dict[str, Any]:
        data = asdict(self)
        return data | {"problems": self.problems, "uncovered": self.uncovered}

    def as_markdown(self) -> str:
        lines = [
            f"## {self.store}, seed {self.plan.seed}",
            "",
            self._summary,
            "",
            "| check | found |",
            "| --- | ---: |",
            *(f"| {name} | {len(found)} |" for name, found in self.findings.items()),
            "",
            "| what befell processes | times | wanted |",
            "| --- | ---: | ---: |",
            *(f"| {n} | {self.acts.get(n, 0)} | {least} |" for n, least in self.plan.acts.items()),
            "",
            "| killed | times |",
            "| --- | ---: |",
            *_rows(self.killed),
            "",
            "| fault | | struck | wanted |",
            "| --- | --- | ---: | ---: |",
            *(
                f"| {n} | {row.title} | {self.struck.get(n, 0)} | {self._floors[n]} |"
                for n, row in MATRIX.items()
            ),
            "",
            *_quoted("problems", self.problems),
            *_quoted("too seldom", self.uncovered),
        ]
        return "\n".join(lines)


def _quoted(title: str, found: Mapping[str, object]) -> list[str]:
    return ["```json", json.dumps({title: found}, indent=1), "```", ""] if found else []


def _rows(counts: Mapping[str, int]) -> list[str]:
    return [f"| {name} | {count} |" for name, count in Counter(counts).most_common()]
