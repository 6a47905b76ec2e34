"""Counts the conversations of an exported log: one that was removed whole leaves a gap.

The last record of each says how-manieth it is, that of the last one also that the log ends there.
Logs of older exports say neither.
"""

from __future__ import annotations

from collections.abc import Iterator

from sms_fsm.replay.lines import Entry
from sms_fsm.replay.problems import LogProblem, ProblemCode

_WRONG = "conversation {} of the log ends here, which should be {}"
_GAP = "conversation {} of the log ends here, and {} left out before it"
_ENDLESS = "the log went on after this conversation: what followed was left out"


class Count:
    """How far the numbers of conversations have come.

    One edit gives one problem: an end that is not seen, or may stand in a line that was reported,
    is taken to have had its number, and after a wrong number the next one may go on from the right
    one.

    Args:
        number: that of the last conversation before; 0 if there is none.
    """

    def __init__(self, number: int = 0) -> None:
        self._expected = number + 1
        self._instead = number + 1
        self._lost = 0
        self._end: Entry | None = None

    def lose(self) -> None:
        """A line that was reported: it may have been the end of any conversation."""
        self._lost += 1

    def pass_over(self) -> None:
        """The end of a conversation was not seen, and that was reported."""
        self._expected += 1
        self._instead += 1
        self._end = None

    def take_back(self) -> None:
        """What was added was no end after all, and that was reported."""
        self._expected -= 1
        self._instead -= 1

    def add(self, entry: Entry) -> Iterator[LogProblem]:
        """The end of a conversation."""
        number = entry.record.number or self._expected
        likely = range(self._expected, self._expected + self._lost + 1)
        if number not in likely and number != self._instead:
            yield self._wrong(entry, number)
            self._instead = self._expected + 1
        else:
            self._instead = number + 1
        self._end, self._lost = (entry, 0) if entry.record.number else (None, 0)
        self._expected = number + 1
        if entry.record.ends_log:
            # Whatever follows is another log.
            self._expected = self._instead = 1
            self._end = None

    def close(self) -> Iterator[LogProblem]:
        """There is nothing more."""
        if self._end is not None and not self._lost:
            yield self._end.problem(ProblemCode.LEFT_OUT, _ENDLESS)

    def _wrong(self, entry: Entry, number: int) -> LogProblem:
        if number < self._expected:
            return entry.problem(ProblemCode.ALTERED, _WRONG.format(number, self._expected))
        missing = number - self._expected
        said = "one was" if missing == 1 else f"{missing:,} were"
        return entry.problem(ProblemCode.LEFT_OUT, _GAP.format(number, said))
