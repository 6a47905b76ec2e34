"""Single lines of an exported log: bounded reading, parsing, the shape of a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from sms_fsm.log import unsealed
from sms_fsm.replay.problems import LogProblem, ProblemCode
from sms_fsm.values import Value

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes. A graph document has at most 256 KiB, a record of an event far less."""

_LONGEST_NAME = 64

_GRAPH_FIELDS = {"id": str, "version": int, "hash": str, "document": str}


@dataclass(frozen=True, slots=True)
class GraphLine:
    """A graph document that a log carries, with what its line claims of it."""

    line: int
    id: str
    version: int
    hash: str
    document: str


class Record(Value, frozen=True, forbid_unknown_fields=True):
    """What `sms_fsm.log.log_record` and `sms_fsm.log.sealed` wrote of one event.

    Args:
        hash: what the line claims.
        last: of the last record of a conversation: the number that it has in the log, True in an
            older log.
        of: of the last record of the log: how many conversations that has.
    """

    at: str
    cancelled: list[Any]
    conversation: str
    data: dict[str, Any]
    effects: list[Any]
    graph: str
    guards: list[Any]
    name: str
    refused: bool
    seq: int
    source: str
    target: str
    transition: str | None
    hash: str
    last: int | bool | UnsetType = UNSET
    of: int | UnsetType = UNSET

    @property
    def number(self) -> int:
        """Which conversation of the log ends here, as far as the line says; else 0."""
        return 0 if self.last is UNSET or self.last is True else self.last

    @property
    def ends_log(self) -> bool:
        """Whether the line claims to be the last of the log."""
        return self.of is not UNSET


_decoded = msgspec.json.Decoder(Record).decode


class Entry(Value, frozen=True):
    """One event as a line of the log.

    Args:
        body: the raw text that was hashed, without its last brace; empty if the line was not
            written by an export.
        begins: it is the first that the log has of its conversation.
        sound: nothing before it in its conversation is missing, so that it can be judged.
        altered: it is not what was exported.
    """

    line: int
    record: Record
    body: bytes
    begins: bool = False
    sound: bool = True
    altered: bool = False

    def problem(self, code: ProblemCode, reason: str) -> LogProblem:
        """Something that is wrong with this line."""
        return LogProblem(self.line, shown(self.record.conversation), self.record.seq, code, reason)


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only the beginning is ever in memory."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)


def read_line(number: int, line: bytes) -> Entry | GraphLine | LogProblem:
    """What a line holds."""
    if len(line) > LONGEST_LINE:
        reason = f"longer than {LONGEST_LINE:,} bytes"
        return LogProblem(number, None, None, ProblemCode.TOO_LONG, reason)
    try:
        record = _decoded(line)
    except (ValueError, RecursionError):
        return _other(number, line)
    if not _counts(record):
        return _no_record(number)
    return Entry(number, record, unsealed(line) or b"")


def _counts(record: Record) -> bool:
    """Whether the end of a conversation has a number; in an older log it is just marked."""
    if record.last is UNSET:
        return record.of is UNSET
    of = record.last if record.of is UNSET else record.of
    return record.last is True or 0 < record.last == of


def _other(number: int, line: bytes) -> GraphLine | LogProblem:
    """What a line is that holds no record."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        reason = "this is no JSON in UTF-8, or the line is cut off"
        return LogProblem(number, None, None, ProblemCode.UNREADABLE, reason)
    if not isinstance(data, dict):
        return _no_record(number)
    return _graph(number, data) or _no_record(number)


def _graph(number: int, data: dict[str, Any]) -> GraphLine | None:
    graph = data.get("graph")
    if len(data) != 1 or not isinstance(graph, dict) or graph.keys() != _GRAPH_FIELDS.keys():
        return None
    if any(type(graph[name]) is not kind for name, kind in _GRAPH_FIELDS.items()):
        return None
    return GraphLine(number, **graph)


def _no_record(number: int) -> LogProblem:
    reason = "this is neither a graph nor the record of an event"
    return LogProblem(number, None, None, ProblemCode.UNREADABLE, reason)


def shown(name: str) -> str | None:
    """A conversation's id as a line gives it, if it can be one."""
    fits = len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable()
    return name if fits else None
