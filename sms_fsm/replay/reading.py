"""Reads an exported event log line by line and finds every line that was touched.

Each record's hash covers the one before it. One edit should give one problem: after a broken link
the log is judged on from what the next record itself claims. A conversation that was left out as a
whole cannot be missed: each stands for itself. Only one record is in memory at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sms_fsm.replay.lines import GraphLine, RecordLine, read_line, shown
from sms_fsm.replay.problems import LogProblem, ProblemCode


class Entry(NamedTuple):
    """A record in its place.

    Args:
        begins: it is the first that the log has of its conversation.
        sound: nothing before it in its conversation is missing, so that it can be judged.
        altered: it is not what was exported.
    """

    line: int
    record: dict[str, Any]
    begins: bool
    sound: bool
    altered: bool = False


LogItem = GraphLine | Entry | LogProblem

_BEGINNING = ("",)
_BROKEN = "record and hash do not belong together"
_MIDDLE = "the conversation starts in the middle: it cannot be replayed"
_STRAY = "a record of another conversation, or its conversation's id was changed"
_CUT = "the end of the conversation is missing after this record"


def read_log(lines: Iterable[str | bytes]) -> Iterator[LogItem]:
    """Graphs, records and problems of an exported log, in the order of its lines.

    Every record comes out, also one that has a problem.
    """
    reader = _Reader()
    number = 0
    for number, text in enumerate(lines, 1):
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        line = raw.rstrip(b"\r\n")
        if line:
            yield from reader.take(read_line(number, line))
    if number == 0:
        yield LogProblem(1, None, None, ProblemCode.EMPTY, "the log is empty")
    yield from reader.finish()


@dataclass(slots=True)
class _Course:
    """How far the records of one conversation have come.

    Args:
        expected: number of the record that should be next.
        heads: the hashes that it may continue: what the last record claims and what it should.
        line: of the last record.
        open: its end has not been seen.
        sound: nothing was missing so far.
        reported: there was a problem with the last record.
    """

    conversation: str
    expected: int
    heads: tuple[str, ...]
    line: int
    open: bool
    sound: bool
    reported: bool = False


class _Reader:
    """Puts each record in its place.

    ``_suspect`` is a reported line that may have been any record, ``_slack`` how many such lines
    came since the last good one: they stand for as many records that seem to be missing.
    """

    def __init__(self) -> None:
        self._course = _Course("", 1, (), 0, open=False, sound=True)
        self._suspect: RecordLine | None = None
        self._slack = 0

    def take(self, line: RecordLine | GraphLine | LogProblem) -> Iterator[LogItem]:
        if isinstance(line, RecordLine):
            course = self._course
            if (
                line.record["conversation"] == course.conversation
                and line.record["seq"] == course.expected
                and course.open
                and _continues(line, course.heads)
            ):
                yield self._advance(line)
            else:
                yield from self._place(line)
            return
        if isinstance(line, LogProblem):
            self._suspect, self._slack = None, self._slack + 1
        yield line

    def finish(self) -> Iterator[LogItem]:
        yield from self._leave()

    def _place(self, line: RecordLine) -> Iterator[LogItem]:
        """A record that is not simply the next one of its conversation."""
        suspect, course = self._suspect, self._course
        if suspect is not None and _continues(line, (suspect.seal,)):
            yield from self._resume(line)
        elif course.reported and _continues(line, course.heads):
            # The record before it gave the conversation's name or number wrongly.
            course.conversation = line.record["conversation"]
            yield self._advance(line)
        elif line.record["conversation"] == course.conversation:
            yield from self._place_within(line)
        else:
            yield from self._place_outside(line)

    def _resume(self, line: RecordLine) -> Iterator[LogItem]:
        """It continues a line that was reported, so only that line was wrong."""
        begins = line.record["conversation"] != self._course.conversation
        if begins:
            self._slack -= 1
            yield from self._leave()
            self._begin(line, sound=False)
        yield self._advance(line, begins=begins, sound=False)

    def _place_within(self, line: RecordLine) -> Iterator[LogItem]:
        seq, expected = line.record["seq"], self._course.expected
        if seq == expected:
            yield from self._continue(line)
        elif expected < seq <= expected + self._slack:
            yield self._advance(line, sound=False)
        elif seq > expected:
            reason = f"record {seq} comes where {expected} should be"
            yield from self._skip(line, ProblemCode.MISSING, reason)
        else:
            reason = f"record {seq} comes again or too late: {expected} should be here"
            yield from self._skip(line, ProblemCode.OUT_OF_ORDER, reason)

    def _continue(self, line: RecordLine) -> Iterator[LogItem]:
        """The right number, but the link is broken or the conversation had ended."""
        course = self._course
        if _continues(line, course.heads):
            reason = "the line says that its conversation ends here, but it goes on"
            yield self._of_course(ProblemCode.ALTERED, reason)
            yield self._advance(line)
        else:
            yield _problem(line, ProblemCode.ALTERED, _BROKEN)
            yield self._advance(line, altered=True)

    def _place_outside(self, line: RecordLine) -> Iterator[LogItem]:
        seq, closed = line.record["seq"], not self._course.open
        if seq == 1 and _continues(line, _BEGINNING):
            yield from self._leave()
            self._begin(line, sound=True)
            yield self._advance(line, begins=True)
        elif closed and seq <= 1:
            yield _problem(line, ProblemCode.ALTERED, _BROKEN)
            self._begin(line, sound=True)
            yield self._advance(line, begins=True, altered=True)
        elif closed:
            hidden = seq <= self._slack + 1
            if not hidden:
                yield _problem(line, ProblemCode.MIDDLE, _MIDDLE)
            self._begin(line, sound=False)
            yield self._advance(line, begins=True)
            self._course.reported = not hidden
        else:
            yield from self._skip(line, ProblemCode.STRAY, _STRAY)

    def _skip(self, line: RecordLine, code: ProblemCode, reason: str) -> Iterator[LogItem]:
        """Report a line that cannot be placed, and go on as if it had not been there."""
        yield _problem(line, code, reason)
        yield Entry(line.line, line.record, begins=False, sound=False)
        self._suspect, self._slack = line, self._slack + 1

    def _begin(self, line: RecordLine, *, sound: bool) -> None:
        name = line.record["conversation"]
        self._course = _Course(name, 1, _BEGINNING, line.line, open=True, sound=sound)

    def _advance(
        self,
        line: RecordLine,
        *,
        begins: bool = False,
        sound: bool = True,
        altered: bool = False,
    ) -> Entry:
        course = self._course
        # If somebody changed the hash alone, the next record continues the one that was there.
        due = (_seal(line.body, course.heads[0]),) if altered else ()
        course.heads = (line.seal, *due)
        course.expected = line.record["seq"] + 1
        course.line = line.line
        course.open = not line.last
        course.sound = course.sound and sound
        course.reported = altered
        self._suspect, self._slack = None, 0
        return Entry(line.line, line.record, begins, course.sound, altered)

    def _leave(self) -> Iterator[LogItem]:
        """The present conversation is over; its end should have been seen, or what hid it."""
        if self._course.open and not (self._slack and self._may_be_end(self._suspect)):
            yield self._of_course(ProblemCode.CUT, _CUT)

    def _may_be_end(self, suspect: RecordLine | None) -> bool:
        """Whether a reported line, unreadable if None, can be the end of the conversation."""
        if suspect is None or suspect.record["seq"] == self._course.expected:
            return True
        return bool(suspect.record["conversation"] == self._course.conversation)

    def _of_course(self, code: ProblemCode, reason: str) -> LogProblem:
        course = self._course
        return LogProblem(
            course.line, shown(course.conversation), course.expected - 1, code, reason
        )


def _continues(line: RecordLine, heads: Iterable[str]) -> bool:
    return any(_seal(line.body, head) == line.seal for head in heads)


def _seal(body: bytes, head: str) -> str:
    """`sms_fsm.log.chained` on raw text, without copying it."""
    hasher = hashlib.sha256(f"{head}\n".encode())
    hasher.update(body)
    hasher.update(b"}")
    return hasher.hexdigest()


def _problem(line: RecordLine, code: ProblemCode, reason: str) -> LogProblem:
    record = line.record
    return LogProblem(line.line, shown(record["conversation"]), record["seq"], code, reason)
