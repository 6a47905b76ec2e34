"""Replays an exported log: no store, no network, one conversation in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sms_fsm.graph import StateGraph
from sms_fsm.registry import Registry
from sms_fsm.replay.judge import Judge
from sms_fsm.replay.lines import Entry, GraphLine
from sms_fsm.replay.problems import LogProblem
from sms_fsm.replay.reading import read_log
from sms_fsm.replay.report import ReplayReport
from sms_fsm.replay.shelf import Shelf
from sms_fsm.replay.tally import Tally

OnProgress = Callable[[int], None]

_PROGRESS_EVERY = 1000


def verify(
    lines: Iterable[str | bytes],
    *,
    graph: StateGraph | None = None,
    registry: Registry | None = None,
    on_progress: OnProgress | None = None,
) -> ReplayReport:
    """Recompute every step of an exported log and compare it with the record.

    Args:
        lines: of the log, as `Engine.export_log` writes them.
        graph: a candidate to replay all events on; without it each runs on the graph that it was
            recorded on.
        registry: the host's own guards and actions; they must be pure.
        on_progress: hears how many events were read, now and then.
    """
    verification = Verification(Shelf(registry or Registry(), graph), on_progress)
    verification.run(lines)
    return verification.tally.summary(verification.shelf.graphs)


class Verification:
    """One run over a log, or over a part of it that begins and ends with whole conversations."""

    def __init__(self, shelf: Shelf, on_progress: OnProgress | None = None) -> None:
        self.shelf = shelf
        self.tally = Tally()
        self._judge = Judge(shelf, self.tally)
        self._on_progress = on_progress

    def run(self, lines: Iterable[str | bytes]) -> None:
        for item in read_log(lines):
            if isinstance(item, Entry):
                self._take(item)
            elif isinstance(item, LogProblem):
                self.tally.report(item)
            else:
                self._shelve(item)
        self._judge.close()

    def _take(self, entry: Entry) -> None:
        self.tally.events += 1
        if self._on_progress is not None and self.tally.events % _PROGRESS_EVERY == 0:
            self._on_progress(self.tally.events)
        if entry.begins:
            self._judge.begin(entry.record)
        if entry.sound:
            self._judge.judge(entry)

    def _shelve(self, line: GraphLine) -> None:
        problem = self.shelf.add(line)
        if problem is not None:
            self.tally.report(problem)
