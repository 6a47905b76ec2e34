"""Replays an exported log: no store, no network, one conversation in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

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
        on_progress: hears how many lines were read, now and then.
    """
    verification = Verification(Shelf(registry or Registry(), graph))
    verification.run(lines if on_progress is None else _told(lines, on_progress))
    return verification.tally.summary(verification.shelf.graphs)


def _told(lines: Iterable[str | bytes], on_progress: OnProgress) -> Iterator[str | bytes]:
    for number, line in enumerate(lines):
        yield line
        if number and number % _PROGRESS_EVERY == 0:
            on_progress(number)


class Verification:
    """One run over a log, or over a part of it that begins and ends with whole conversations."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.tally = Tally()

    def run(self, lines: Iterable[str | bytes], *, after: int = 0, whole: bool = True) -> None:
        """Judge every record and count what is found; the arguments are those of `read_log`."""
        judge = Judge(self.shelf, self.tally)
        for item in read_log(lines, after=after, whole=whole):
            if isinstance(item, Entry):
                judge.judge(item)
            elif isinstance(item, LogProblem):
                self.tally.report(item)
            else:
                self._shelve(item)
        judge.close()

    def _shelve(self, line: GraphLine) -> None:
        problem = self.shelf.add(line)
        if problem is not None:
            self.tally.report(problem)
