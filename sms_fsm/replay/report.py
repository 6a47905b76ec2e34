"""What came of replaying a whole log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

from sms_fsm.graph import StateGraph
from sms_fsm.replay.coverage import Coverage, Exercised
from sms_fsm.replay.judge import Judgement
from sms_fsm.replay.problems import LogProblem
from sms_fsm.replay.verdicts import Bucket, Divergence

MOST_LISTED = 10_000
"""Divergences and problems beyond this number are counted, not kept."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result of `verify`.

    Args:
        events: records of the log.
        judged: those that could be replayed; not after a gap in their conversation.
        conversations: how many ended up in each bucket; a conversation that could not be replayed
            at all is in none.
        divergences: on the recorded graphs every event that came out otherwise; on a candidate
            the first of each conversation, and the first that leads elsewhere.
        divergent: how many events came out otherwise, listed or not.
        problems: faults of the log, by line; ``faults`` is their number, listed or not.
        added, removed: how often effects of a name were planned in addition, or no longer.
        coverage: the gaps, for each graph that events were replayed on.
    """

    events: int
    judged: int
    conversations: Mapping[Bucket, int]
    divergences: tuple[Divergence, ...]
    divergent: int
    problems: tuple[LogProblem, ...]
    faults: int
    added: Mapping[str, int]
    removed: Mapping[str, int]
    coverage: tuple[Coverage, ...]

    @property
    def clean(self) -> bool:
        """Nobody touched the log, and every event came out as recorded."""
        return self.faults == 0 and self.divergent == 0


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
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    exercised: dict[str, Exercised] = field(default_factory=dict)

    def report(self, problem: LogProblem) -> None:
        """One more fault of the log."""
        self.faults += 1
        _keep(self.problems, [problem])

    def diverge(self, judgement: Judgement, divergence: Divergence, *, listed: bool) -> None:
        """One more event that came out otherwise."""
        self.divergent += 1
        self.added.update(divergence.added)
        self.removed.update(divergence.removed)
        if listed or judgement.decides:
            _keep(self.divergences, [divergence])

    def merge(self, other: Self) -> None:
        """Add the tally of the part of the log that comes next."""
        self.events += other.events
        self.judged += other.judged
        self.divergent += other.divergent
        self.faults += other.faults
        self.buckets.update(other.buckets)
        self.added.update(other.added)
        self.removed.update(other.removed)
        _keep(self.divergences, other.divergences)
        _keep(self.problems, other.problems)
        for behaviour_hash, exercised in other.exercised.items():
            self.exercised.setdefault(behaviour_hash, Exercised()).merge(exercised)

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
            added=dict(sorted(self.added.items())),
            removed=dict(sorted(self.removed.items())),
            coverage=tuple(
                self.exercised.get(graph.behaviour_hash, Exercised()).coverage(graph)
                for graph in graphs
            ),
        )


def _keep(kept: list[T], new: Sequence[T]) -> None:
    kept.extend(new[: MOST_LISTED - len(kept)])
