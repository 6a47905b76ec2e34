"""Single lines of an exported log: bounded reading, parsing, the shape of a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from types import NoneType
from typing import Any, BinaryIO, NamedTuple

import orjson

from sms_fsm.log import unsealed
from sms_fsm.replay.problems import LogProblem, ProblemCode

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes. A graph document has at most 256 KiB, a record of an event far less."""

_LONGEST_NAME = 64

_FIELDS = {
    "at": (str,),
    "cancelled": (list,),
    "conversation": (str,),
    "data": (dict,),
    "effects": (list,),
    "graph": (str,),
    "guards": (list,),
    "name": (str,),
    "refused": (bool,),
    "seq": (int,),
    "source": (str,),
    "target": (str,),
    "transition": (str, NoneType),
    "hash": (str,),
}
_NAMES = tuple(_FIELDS)
_TYPES = tuple(product(*_FIELDS.values()))
_WITH_END = (*_NAMES, "last")
_AT_THE_END = (*_WITH_END, "of")
_GRAPH_FIELDS = {"id": str, "version": int, "hash": str, "document": str}


@dataclass(frozen=True, slots=True)
class GraphLine:
    """A graph document that a log carries, with what its line claims of it."""

    line: int
    id: str
    version: int
    hash: str
    document: str


class Entry(NamedTuple):
    """One event as a line of the log.

    Args:
        body: the raw text that was hashed, without its last brace; empty if the line was not
            written by an export.
        begins: it is the first that the log has of its conversation.
        sound: nothing before it in its conversation is missing, so that it can be judged.
        altered: it is not what was exported.
    """

    line: int
    record: dict[str, Any]
    body: bytes
    begins: bool = False
    sound: bool = True
    altered: bool = False

    @property
    def conversation(self) -> str:
        name: str = self.record["conversation"]
        return name

    @property
    def seq(self) -> int:
        number: int = self.record["seq"]
        return number

    @property
    def seal(self) -> str:
        """The hash that the line claims."""
        seal: str = self.record["hash"]
        return seal

    @property
    def last(self) -> int | None:
        """Of the last line of a conversation: the number that it has in the log, 0 without one."""
        last: int | None = self.record.get("last")
        return 0 if last is True else last

    @property
    def ends_log(self) -> bool:
        """Whether the line claims to be the last of the log."""
        return "of" in self.record

    def problem(self, code: ProblemCode, reason: str) -> LogProblem:
        """Something that is wrong with this line."""
        return LogProblem(self.line, shown(self.conversation), self.seq, code, reason)


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
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        reason = "this is no JSON in UTF-8, or the line is cut off"
        return LogProblem(number, None, None, ProblemCode.UNREADABLE, reason)
    if not isinstance(data, dict):
        return _no_record(number)
    if _is_record(data):
        return Entry(number, data, unsealed(line) or b"")
    return _graph(number, data) or _no_record(number)


def _is_record(data: dict[str, Any]) -> bool:
    # Comparisons of whole tuples, because this is asked of every line.
    names = tuple(data)
    if names == _NAMES:
        return tuple(map(type, data.values())) in _TYPES
    if names not in (_WITH_END, _AT_THE_END) or not _counts(data):
        return False
    return tuple(map(type, data.values()))[: len(_NAMES)] in _TYPES


def _counts(data: dict[str, Any]) -> bool:
    """Whether the end of a conversation has a number; in an older log it is just marked."""
    last = data["last"]
    of = data.get("of", last)
    return last is True or (type(last) is type(of) is int and 0 < last == of)


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
