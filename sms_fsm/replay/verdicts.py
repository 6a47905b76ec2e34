"""What replay says of events that the graph decides otherwise than the log has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bucket(StrEnum):
    """What became of a conversation that was replayed."""

    SAME = "same"
    """Every decision and every effect came out as recorded."""
    OTHER_EFFECTS = "other_effects"
    """The same states, but effects or cancellations differ."""
    DIVERGED = "diverged"
    """An event leads elsewhere."""
    REFUSED = "refused"
    """A command that was carried out is refused."""
    STATE_MISSING = "state_missing"
    """The graph lacks a state that the conversation was in."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """One event that comes out otherwise.

    Args:
        line: of the log, from 1.
        conversation, seq, event: which event it is.
        bucket: what kind of difference it makes.
        differs: what differs, in words of the log record (``target``, ``guards``, ``effects`` …).
        source: the state before the event, as recorded.
        expected: the state after it, as recorded.
        actual: the state after it on the replayed graph; None if that lacks ``source``.
        rule: id of the rule that applied, or that was recorded and did not apply.
        file, yaml_line: where the rule stands (from 1), else where its event is declared.
        added, removed: names of effects that were planned in addition, and of those that were not.
    """

    line: int
    conversation: str
    seq: int
    event: str
    bucket: Bucket
    differs: tuple[str, ...]
    source: str
    expected: str
    actual: str | None
    rule: str | None
    file: str
    yaml_line: int | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
