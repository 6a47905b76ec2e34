"""Requests to the outside, as data: what a step plans and what the outbox keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

_NOTHING: Mapping[str, Any] = {}
"""A plain dictionary, because stores write it as JSON."""


class Lane(StrEnum):
    """Where a planned effect waits."""

    ORDERED = "ordered"
    """Behind what its conversation planned earlier."""
    FRONT = "front"
    """Before everything that its conversation still has to do."""
    BESIDE = "beside"
    """By its due time alone."""


# Tuples, because they are made in every step: frozen dataclasses take thrice the time to make.


class PlannedEffect(NamedTuple):
    """An effect, or a timer, that a step asks for.

    Args:
        name: of the effect; of the event that is raised, for a timer.
        data: what it needs to know, without texts or numbers.
        due_in: how long it waits.
        message: number of the message that it is about; effects are cancelled by it.
        timer: it raises an event in place of calling the outside.
    """

    name: str
    lane: Lane
    data: Mapping[str, Any] = _NOTHING
    due_in: timedelta = timedelta(0)
    message: int | None = None
    timer: bool = False

    def to_data(self) -> dict[str, Any]:
        """As the log holds it."""
        return {
            "name": self.name,
            "lane": self.lane.value,
            "data": dict(self.data),
            "due_in_seconds": self.due_in.total_seconds(),
            "message": self.message,
            "timer": self.timer,
        }

    def logs_as(self, data: Any) -> bool:
        """Whether `to_data` gives just this."""
        name, lane, needs, due_in, message, timer = self
        try:
            return (
                data["name"] == name
                and data["lane"] == lane
                and data["data"] == needs
                and data["message"] == message
                and data["due_in_seconds"] == due_in.total_seconds()
                and data["timer"] == timer
                and len(data) == len(self)
            )
        except (LookupError, TypeError):
            return False


class Cancellation(NamedTuple):
    """Effects of one conversation that are no longer wanted, where they have not begun.

    ``message`` None means whatever message they are about.
    """

    names: tuple[str, ...]
    message: int | None = None

    def to_data(self) -> dict[str, Any]:
        """As the log holds it."""
        return {"names": list(self.names), "message": self.message}

    def logs_as(self, data: Any) -> bool:
        """Whether `to_data` gives just this."""
        names, message = self
        try:
            return (
                data["names"] == [*names] and data["message"] == message and len(data) == len(self)
            )
        except (LookupError, TypeError):
            return False


class EffectState(StrEnum):
    """Where an effect of the outbox stands."""

    QUEUED = "queued"
    """Behind another of its conversation."""
    PENDING = "pending"
    """Goes at its due time."""
    LEASED = "leased"
    """A worker holds it."""
    DEAD = "dead"
    """It gave up and waits for an operator."""
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of the outbox.

    Args:
        id: ``conversation:seq:number``, derived, so that a repeated attempt has the same.
        attempts: how often a worker took it up.
        reason: why it waits or gave up.
        due_at: not before this time.
        token: fencing token of the present lease.
        failures: how often in a row it failed in a way that may pass.
        unknown_since: when a call was made whose answer is not known.
        started_at: when it was first taken up; the time for retries counts from it.
        looked_up: it was looked for once after a 404.
        interrupted: the worker before did not come back; its call may have been applied.
    """

    id: str
    name: str
    conversation: str
    attempts: int
    reason: str | None
    due_at: datetime
    state: EffectState = EffectState.PENDING
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    message: int | None = None
    timer: bool = False
    token: int = 0
    failures: int = 0
    unknown_since: datetime | None = None
    started_at: datetime | None = None
    looked_up: bool = False
    interrupted: bool = False


def effect_id(conversation: str, seq: int, number: int) -> str:
    """The id of the ``number``-th effect that event ``seq`` of a conversation planned."""
    return f"{conversation}:{seq}:{number}"
