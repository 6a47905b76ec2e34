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
_TYPES = frozenset(product(*_FIELDS.values()))
_WITH_END = frozenset((*types, bool) for types in _TYPES)
_GRAPH_FIELDS = {"id": str, "version": int, "hash": str, "document": str}


@dataclass(frozen=True, slots=True)
class GraphLine:
    """A graph document that a log carries, with what its line claims of it."""

    line: int
    id: str
    version: int
    hash: str
    document: str


class RecordLine(NamedTuple):
    """One event as a line of the log.

    ``body`` is the raw text that was hashed, without its last brace, and empty if the line does
    not end as an exported one does; ``seal`` is the hash that the line claims.
    """

    line: int
    record: dict[str, Any]
    body: bytes
    seal: str
    last: bool


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only the beginning is ever in memory."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)


def read_line(number: int, line: bytes) -> RecordLine | GraphLine | LogProblem:
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
        body = unsealed(line) or b""
        return RecordLine(number, data, body, data["hash"], data.get("last", False))
    return _graph(number, data) or _no_record(number)


def _is_record(data: dict[str, Any]) -> bool:
    # Two comparisons of whole tuples, because this is asked of every line.
    types = tuple(map(type, data.values()))
    if tuple(data) == _NAMES:
        return types in _TYPES
    return tuple(data) == (*_NAMES, "last") and types in _WITH_END


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
