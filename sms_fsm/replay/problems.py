"""What can be wrong with an exported event log, as values that name the place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProblemCode(StrEnum):
    """One kind of fault; stable across releases."""

    EMPTY = "empty"
    """There is no line at all."""
    UNREADABLE = "unreadable"
    """The line is no JSON in UTF-8, is cut off, or is neither a graph nor a record."""
    TOO_LONG = "too-long"
    """The line is longer than any that an export writes."""
    GRAPH = "graph"
    """A graph document that cannot be used, or is not the one that its line claims."""
    UNKNOWN_GRAPH = "unknown-graph"
    """The log lacks the graph that a conversation ran on."""
    ALTERED = "altered"
    """Record, hash or end mark are not what was exported."""
    MISSING = "missing"
    """Records before this one were removed."""
    OUT_OF_ORDER = "out-of-order"
    """The record was here before, or belongs further up."""
    STRAY = "stray"
    """The record belongs to another conversation than those around it."""
    MIDDLE = "middle"
    """The conversation starts in the middle: it cannot be replayed."""
    CUT = "cut"
    """The end of the conversation is missing after this line."""
    LEFT_OUT = "left-out"
    """Whole conversations are missing before the one that ends here, or after it."""
    IMPOSSIBLE = "impossible"
    """The event does not fit what the conversation went through."""


@dataclass(frozen=True, slots=True)
class LogProblem:
    """One fault of a log.

    Args:
        line: counted from 1.
        conversation, seq: as the line names them; None where it names none.
        reason: what is wrong, without anything of the line's content.
    """

    line: int
    conversation: str | None
    seq: int | None
    code: ProblemCode
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.code}: {self.reason}"
