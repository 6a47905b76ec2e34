"""Counts what replay finds, so that the parts of a log can be replayed apart and added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from sms_fsm.graph import StateGraph
from sms_fsm.replay.coverage import Exercised
from sms_fsm.replay.problems import LogProblem
from sms_fsm.replay.report import ReplayReport
from sms_fsm.replay.verdicts import Bucket, Divergence

MOST_LISTED = 10_000
"""Divergences and problems beyond this number are counted, not kept."""

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """Counts judgements; two tallies of parts of a log add up to one of the whole."""

    events: int = 0
    judged: int = 0
    buckets: Counter[Bucket] = field(default_factory=Counter)
    divergences: list[Divergence] = field(default_factory=list)
    divergent: int = 0
    problems: list[LogProblem] = field(default_factory=list)
    faults: int = 0
    unnumbered: int = 0
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    exercised: dict[str, Exercised] = field(default_factory=dict)

    def report(self, problem: LogProblem) -> None:
        """One more fault of the log."""
        self.faults += 1
        _keep(self.problems, [problem])

    def of_graph(self, behaviour_hash: str) -> Exercised:
        """Where to note what events did on a graph."""
        return self.exercised.setdefault(behaviour_hash, Exercised())

    def diverge(self, divergence: Divergence, *, listed: bool) -> None:
        """One more event that came out otherwise."""
        self.divergent += 1
        self.added.update(divergence.added)
        self.removed.update(divergence.removed)
        if listed:
            _keep(self.divergences, [divergence])

    def merge(self, other: Self, line: int) -> None:
        """Add the tally of the part of the log that begins after this line."""
        self.events += other.events
        self.judged += other.judged
        self.divergent += other.divergent
        self.faults += other.faults
        self.unnumbered += other.unnumbered
        self.buckets.update(other.buckets)
        self.added.update(other.added)
        self.removed.update(other.removed)
        _keep(self.divergences, [replace(d, line=d.line + line) for d in other.divergences])
        _keep(self.problems, [replace(p, line=p.line + line) for p in other.problems])
        for behaviour_hash, exercised in other.exercised.items():
            self.of_graph(behaviour_hash).merge(exercised)

    def summary(self, graphs: Sequence[StateGraph]) -> ReplayReport:
        """The report on all that was counted."""
        return ReplayReport(
            events=self.events,
            judged=self.judged,
            conversations={bucket: self.buckets[bucket] for bucket in Bucket},
            divergences=tuple(self.divergences),
            divergent=self.divergent,
            problems=tuple(sorted(self.problems, key=lambda problem: problem.line)),
            faults=self.faults,
            numbered=self.unnumbered == 0,
            added=dict(sorted(self.added.items())),
            removed=dict(sorted(self.removed.items())),
            coverage=tuple(self.of_graph(graph.behaviour_hash).coverage(graph) for graph in graphs),
        )


def _keep(kept: list[T], new: Sequence[T]) -> None:
    kept.extend(new[: MOST_LISTED - len(kept)])
