"""What came of replaying a whole log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sms_fsm.replay.coverage import Coverage
from sms_fsm.replay.problems import LogProblem
from sms_fsm.replay.verdicts import Bucket, Divergence


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
        numbered: the log numbers its conversations, so that one that was left out whole is missed;
            older exports did not.
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
    numbered: bool
    added: Mapping[str, int]
    removed: Mapping[str, int]
    coverage: tuple[Coverage, ...]

    @property
    def clean(self) -> bool:
        """Nobody touched the log, and every event came out as recorded."""
        return self.faults == 0 and self.divergent == 0
