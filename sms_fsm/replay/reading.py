"""Reads an exported event log line by line and finds every line that was touched.

Each record's hash covers the one before it. One edit should give one problem: after a broken link
the log is judged on from what the next record itself claims. Only one record is in memory at a
time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from msgspec import UNSET

from sms_fsm.replay.counting import Count
from sms_fsm.replay.lines import Entry, GraphLine, read_line, shown
from sms_fsm.replay.problems import LogProblem, ProblemCode
from sms_fsm.values import evolve

LogItem = GraphLine | Entry | LogProblem

_BEGINNING = ""
_BROKEN = "record and hash do not belong together"
_MIDDLE = "the conversation starts in the middle: it cannot be replayed"
_STRAY = "a record of another conversation, or its conversation's id was changed"
_CUT = "the end of the conversation is missing after this record"


def read_log(
    lines: Iterable[str | bytes], *, after: int = 0, whole: bool = True
) -> Iterator[LogItem]:
    """Graphs, records and problems of an exported log, in the order of its lines.

    Every record comes out, also one that has a problem.

    Args:
        after: how many conversations of the log come before these lines.
        whole: the log ends with these lines.
    """
    reader = _Reader(after)
    number = 0
    for number, text in enumerate(lines, 1):
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        line = raw.rstrip(b"\r\n")
        if not line:
            continue
        item = read_line(number, line)
        entry = reader.follow(item) if isinstance(item, Entry) else None
        if entry is not None:
            yield entry
        else:
            yield from reader.place(item)
        if reader.found:
            yield from reader.found
            reader.found.clear()
    if number == 0:
        yield LogProblem(1, None, None, ProblemCode.EMPTY, "the log is empty")
    yield from reader.leave()
    if whole:
        yield from reader.close()


@dataclass(slots=True)
class _Course:
    """How far the records of one conversation have come.

    Args:
        expected: number of the record that should be next.
        head: the hash that it should continue, as the last record claims it.
        due: the hash of the last record if that is altered; it may be the claim that is wrong.
        line: of the last record.
        open: its end has not been seen.
        sound: nothing was missing so far.
        reported: there was a problem with the last record.
    """

    conversation: str
    expected: int
    head: str
    line: int
    open: bool
    sound: bool
    reported: bool = False
    due: str | None = None


class _Reader:
    """Puts each record in its place.

    ``_suspect`` is a reported line that may have been any record, ``_slack`` how many such lines
    came since the last good one: they stand for as many records that seem to be missing.
    ``found`` is what the end of a conversation brought to light.
    """

    def __init__(self, after: int) -> None:
        self._count = Count(after)
        self.found: list[LogProblem] = []
        self._course = _Course("", 1, _BEGINNING, 0, open=False, sound=True)
        self._suspect: Entry | None = None
        self._slack = 0

    def follow(self, entry: Entry) -> Entry | None:
        """Take a record in if it is simply the next one of its conversation."""
        course, record = self._course, entry.record
        if (
            record.seq == course.expected
            and record.conversation == course.conversation
            and course.open
            and self._continued(entry)
        ):
            self._take(entry)
            return entry if course.sound else evolve(entry, sound=False)
        return None

    def _continued(self, entry: Entry) -> bool:
        course = self._course
        if _continues(entry, course.head):
            return True
        return course.due is not None and _continues(entry, course.due)

    def _take(self, entry: Entry) -> None:
        course, record = self._course, entry.record
        course.head = record.hash
        course.due = None
        course.expected += 1
        course.line = entry.line
        course.open = record.last is UNSET
        course.reported = False
        self._suspect, self._slack = None, 0
        if not course.open:
            self.found += self._count.add(entry)

    def _advance(
        self,
        entry: Entry,
        *,
        begins: bool = False,
        sound: bool = True,
        altered: bool = False,
    ) -> Entry:
        """Take a record in that was not, or not as it is."""
        course = self._course
        course.sound = course.sound and sound
        due = _seal(entry.body, course.head) if altered else None
        self._take(entry)
        course.due = due
        course.expected = entry.record.seq + 1
        course.reported = altered
        return evolve(entry, begins=begins, sound=course.sound, altered=altered)

    def place(self, item: LogItem) -> Iterator[LogItem]:
        """What to say of a line that is not simply the next record."""
        if isinstance(item, Entry):
            yield from self._place(item)
            return
        if isinstance(item, LogProblem):
            self._suspect, self._slack = None, self._slack + 1
            self._count.lose()
        yield item

    def _place(self, entry: Entry) -> Iterator[LogItem]:
        """A record that is not simply the next one of its conversation."""
        suspect, course = self._suspect, self._course
        if suspect is not None and _continues(entry, suspect.record.hash):
            yield from self._resume(entry)
        elif course.reported and self._continued(entry):
            # The record before it gave the conversation's name or number wrongly.
            course.conversation = entry.record.conversation
            yield self._advance(entry)
        elif entry.record.conversation == course.conversation:
            yield from self._place_within(entry)
        else:
            yield from self._place_outside(entry)

    def _resume(self, entry: Entry) -> Iterator[LogItem]:
        """It continues a line that was reported, so only that line was wrong."""
        begins = entry.record.conversation != self._course.conversation
        if begins:
            self._slack -= 1
            yield from self.leave()
            self._begin(entry, sound=False)
        yield self._advance(entry, begins=begins, sound=False)

    def _place_within(self, entry: Entry) -> Iterator[LogItem]:
        seq, expected = entry.record.seq, self._course.expected
        if seq == expected:
            yield from self._continue(entry)
        elif expected < seq <= expected + self._slack:
            yield self._advance(entry, sound=False)
        elif seq > expected:
            reason = f"record {seq} comes where {expected} should be"
            yield from self._skip(entry, ProblemCode.MISSING, reason)
        else:
            reason = f"record {seq} comes again or too late: {expected} should be here"
            yield from self._skip(entry, ProblemCode.OUT_OF_ORDER, reason)

    def _continue(self, entry: Entry) -> Iterator[LogItem]:
        """The right number, but the link is broken or the conversation had ended."""
        if self._continued(entry):
            reason = "the line says that its conversation ends here, but it goes on"
            yield self._of_course(ProblemCode.ALTERED, reason)
            self._count.take_back()
            yield self._advance(entry)
        else:
            yield entry.problem(ProblemCode.ALTERED, _BROKEN)
            yield self._advance(entry, altered=True)

    def _place_outside(self, entry: Entry) -> Iterator[LogItem]:
        seq, closed = entry.record.seq, not self._course.open
        if seq == 1 and _continues(entry, _BEGINNING):
            yield from self.leave()
            self._begin(entry, sound=True)
            yield self._advance(entry, begins=True)
        elif closed and seq <= 1:
            yield entry.problem(ProblemCode.ALTERED, _BROKEN)
            self._begin(entry, sound=True)
            yield self._advance(entry, begins=True, altered=True)
        elif closed:
            hidden = seq <= self._slack + 1
            if not hidden:
                yield entry.problem(ProblemCode.MIDDLE, _MIDDLE)
            self._begin(entry, sound=False)
            yield self._advance(entry, begins=True)
            self._course.reported = not hidden
        else:
            yield from self._skip(entry, ProblemCode.STRAY, _STRAY)

    def _skip(self, entry: Entry, code: ProblemCode, reason: str) -> Iterator[LogItem]:
        """Report a line that cannot be placed, and go on as if it had not been there."""
        yield entry.problem(code, reason)
        yield evolve(entry, sound=False)
        self._suspect, self._slack = entry, self._slack + 1
        self._count.lose()

    def _begin(self, entry: Entry, *, sound: bool) -> None:
        self._course = _Course(
            entry.record.conversation, 1, _BEGINNING, entry.line, open=True, sound=sound
        )

    def leave(self) -> Iterator[LogItem]:
        """The present conversation is over; its end should have been seen, or what hid it."""
        if self._course.open and not (self._slack and self._may_be_end(self._suspect)):
            yield self._of_course(ProblemCode.CUT, _CUT)
            self._count.pass_over()

    def close(self) -> Iterator[LogProblem]:
        """The log is over; it should have said so."""
        yield from self._count.close()

    def _may_be_end(self, suspect: Entry | None) -> bool:
        """Whether a reported line, unreadable if None, can be the end of the conversation."""
        if suspect is None or suspect.record.seq == self._course.expected:
            return True
        return suspect.record.conversation == self._course.conversation

    def _of_course(self, code: ProblemCode, reason: str) -> LogProblem:
        course = self._course
        return LogProblem(
            course.line, shown(course.conversation), course.expected - 1, code, reason
        )


def _continues(entry: Entry, head: str) -> bool:
    sealed: bool = _seal(entry.body, head) == entry.record.hash
    return sealed


def _seal(body: bytes, head: str) -> str:
    """`sms_fsm.log.chained` on raw text."""
    return sha256(b"%b\n%b}" % (head.encode(), body)).hexdigest()
