"""The aggregate: one customer with one business number, its routing and its messages.

Frozen values only: what an event means for them is said in `sms_fsm.fold`, which state follows
in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from msgspec.structs import astuple

from sms_fsm.delivery import Outcome
from sms_fsm.values import Value, evolve


class Routing(Value, frozen=True):
    """Where a conversation is handled. Unset fields say nothing."""

    queue_id: str | None = None
    agent_id: str | None = None
    skills: tuple[str, ...] = ()
    priority: int | None = None
    transfer_type: str | None = None

    @property
    def assigned(self) -> bool:
        """Whether a queue or an agent has it."""
        return self.queue_id is not None or self.agent_id is not None

    def updated(self, other: Routing) -> Routing:
        """This routing with what the other says instead."""
        return Routing(
            queue_id=other.queue_id or self.queue_id,
            agent_id=other.agent_id if other.assigned else self.agent_id,
            skills=other.skills or self.skills,
            priority=self.priority if other.priority is None else other.priority,
            transfer_type=other.transfer_type or self.transfer_type,
        )

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it; unset fields are left out."""
        pairs = (
            ("queue_id", self.queue_id),
            ("agent_id", self.agent_id),
            ("skills", list(self.skills) or None),
            ("priority", self.priority),
            ("transfer_type", self.transfer_type),
        )
        return {name: value for name, value in pairs if value is not None}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "skills": tuple(data.get("skills", ()))})


class MessageStatus(StrEnum):
    """How far a message came. It never moves back."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"


class Direction(StrEnum):
    """Which way a text goes."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Turn(StrEnum):
    """What the event at hand decided about a message. It lasts for that event only."""

    RETRY = "retry"
    FALLBACK = "fallback"
    DELIVERED = "delivered"
    FAILED = "failed"


# Members of enumerations have names of their own: the look-up takes longer than a call.
_DELIVERED = Outcome.DELIVERED
_OUTBOUND = Direction.OUTBOUND


class Attempt(Value, frozen=True):
    """One post of a part that CXone took.

    Args:
        reference: the engine's own mark of the post (``metadata.client_reference``).
        outcome: the best that carriers said of it: pending, failed or delivered.
        seen: the statuses that were reported, in order of arrival.
        codes: the codes that came with the newest failure.
    """

    reference: str
    message_id: str
    outcome: Outcome = Outcome.PENDING
    seen: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "message_id": self.message_id,
            "outcome": self.outcome.value,
            "seen": list(self.seen),
            "codes": list(self.codes),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            reference=data["reference"],
            message_id=data["message_id"],
            outcome=Outcome(data["outcome"]),
            seen=tuple(data["seen"]),
            codes=tuple(data["codes"]),
        )


class Part(Value, frozen=True):
    """A slice of a text that is one post to CXone.

    ``start`` and ``end`` are offsets into the text; ``retry_at`` is when a part that a carrier
    failed is to be posted again, or None.
    """

    start: int
    end: int
    encoding: str
    segments: int
    attempts: tuple[Attempt, ...] = ()
    retry_at: datetime | None = None

    @property
    def delivered(self) -> bool:
        return _DELIVERED in [attempt.outcome for attempt in self.attempts]

    @property
    def failures(self) -> int:
        return sum(attempt.outcome is Outcome.FAILED for attempt in self.attempts)

    def to_data(self) -> dict[str, Any]:
        return {
            "slice": [self.start, self.end, self.encoding, self.segments],
            "attempts": [attempt.to_data() for attempt in self.attempts],
            "retry_at": self.retry_at.isoformat() if self.retry_at else None,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        start, end, encoding, segments = data["slice"]
        return cls(
            start,
            end,
            encoding,
            segments,
            attempts=tuple(Attempt.from_data(item) for item in data["attempts"]),
            retry_at=_instant(data["retry_at"]),
        )


class Message(Value, frozen=True, eq=False):
    """A text of a conversation.

    Args:
        seq: number of the event that brought it; unique within the conversation.
        key: the host's key, or the carrier's message id of an inbound text.
        note: an internal note: it moves no state and has no retry or fallback.
        confirmation: the one text that still goes to a customer who opted out.
        parts: the posts that it takes; an inbound text or a note is one.
        taken: CXone took at least one part.
        settled: no further attempt will be made (a late ``delivered`` still counts).
        exhausted: a carrier failed a part for good; the fallback or the end is next.
        failed_in_spell: number of the waiting spell in which it failed for good.
        turn: what the event at hand decided about it.
        text: the body; None in replay, and when it was erased.
    """

    seq: int
    key: str
    direction: Direction
    parts: tuple[Part, ...]
    note: bool = False
    confirmation: bool = False
    status: MessageStatus = MessageStatus.QUEUED
    participant_id: str | None = None
    on_behalf_of: str | None = None
    taken: bool = False
    settled: bool = False
    exhausted: bool = False
    failed_in_spell: int | None = None
    turn: Turn | None = None
    text: str | None = None

    hidden: ClassVar[frozenset[str]] = frozenset({"text"})

    def __eq__(self, other: object) -> bool:
        """Without ``turn``, which passes, and ``text``, which is not always loaded."""
        return isinstance(other, Message) and self._lasting == other._lasting

    def __hash__(self) -> int:
        return hash(self._lasting)

    @property
    def _lasting(self) -> tuple[Any, ...]:
        return astuple(self)[:-2]

    @property
    def message_ids(self) -> tuple[str, ...]:
        """CXone's ids of all posts, oldest attempt of the first part first."""
        return tuple(a.message_id for part in self.parts for a in part.attempts)

    @property
    def attempts(self) -> int:
        """How often the part that was posted most often was posted."""
        return max((len(part.attempts) for part in self.parts), default=0)

    @property
    def codes(self) -> tuple[str, ...]:
        """The carriers' codes of all failures."""
        return tuple(c for part in self.parts for a in part.attempts for c in a.codes)

    @property
    def outbound(self) -> bool:
        """Whether carriers deliver it: outbound and no internal note."""
        return self.direction is _OUTBOUND and not self.note

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it, without the text."""
        return {
            "key": self.key,
            "direction": self.direction.value,
            "note": self.note,
            "confirmation": self.confirmation,
            "status": self.status.value,
            "participant_id": self.participant_id,
            "on_behalf_of": self.on_behalf_of,
            "taken": self.taken,
            "settled": self.settled,
            "exhausted": self.exhausted,
            "failed_in_spell": self.failed_in_spell,
            "parts": [part.to_data() for part in self.parts],
        }

    @classmethod
    def from_data(cls, seq: int, data: Mapping[str, Any], text: str | None = None) -> Self:
        return cls(
            seq=seq,
            text=text,
            **{
                **data,
                "direction": Direction(data["direction"]),
                "status": MessageStatus(data["status"]),
                "parts": tuple(Part.from_data(item) for item in data["parts"]),
            },
        )


class Conversation(Value, frozen=True):
    """One customer with one business number.

    Args:
        id: the engine's id; it never changes.
        state: name of the state of the graph.
        graph_version: version of the graph that the conversation runs on.
        graph_hash: its behaviour hash.
        conversation_id: CXone's id, or None before it is opened.
        customer, business: E.164 numbers or short codes.
        routing: the last known routing.
        participant_id: the agent participant last assigned.
        carrier_profile: what the carrier look-up said of the customer's number.
        seq: number of the last event.
        outstanding: outbound messages that CXone took and that have no final word.
        spell: number of the present or last waiting spell.
        spell_failed: messages that failed for good in it.
        opening: an opening or reactivation is planned and not done.
        contacted_at: when CXone last confirmed that it is open.
        timers: due times of the timers that run.
        messages: its texts; inside a step only those that the event concerns.
    """

    id: str
    state: str
    graph_version: int
    graph_hash: str
    customer: str
    business: str
    isolation: str = ""
    external_customer_id: str | None = None
    name: str | None = None
    preferred_language: str | None = None
    conversation_id: str | None = None
    routing: Routing = Routing()
    participant_id: str | None = None
    carrier_profile: str | None = None
    seq: int = 0
    outstanding: int = 0
    spell: int = 0
    spell_failed: int = 0
    opening: bool = False
    contacted_at: datetime | None = None
    timers: tuple[tuple[str, datetime], ...] = ()
    messages: tuple[Message, ...] = ()

    hidden: ClassVar[frozenset[str]] = frozenset({"customer", "business", "name"})

    def message(self, seq: int | None) -> Message | None:
        """The loaded message with this number, if any."""
        for message in self.messages:
            if message.seq == seq:
                return message
        return None

    def with_message(self, message: Message) -> Conversation:
        """The same with this message new or replaced."""
        return evolve(self, messages=self.messages_with(message))

    def messages_with(self, message: Message) -> tuple[Message, ...]:
        """The loaded messages with this one new or replaced."""
        if not self.messages:
            return (message,)
        return (*[other for other in self.messages if other.seq != message.seq], message)

    @property
    def timer_due_at(self) -> datetime | None:
        """When the first timer is due."""
        return min((due for _, due in self.timers), default=None)

    def to_data(self) -> dict[str, Any]:
        """What events decide, as JSON holds it: no identity, no state, no messages."""
        return {
            "conversation_id": self.conversation_id,
            "routing": self.routing.to_data(),
            "participant_id": self.participant_id,
            "carrier_profile": self.carrier_profile,
            "outstanding": self.outstanding,
            "spell": self.spell,
            "spell_failed": self.spell_failed,
            "opening": self.opening,
            "contacted_at": self.contacted_at.isoformat() if self.contacted_at else None,
            "timers": {name: due.isoformat() for name, due in self.timers},
        }

    def with_data(self, data: Mapping[str, Any]) -> Conversation:
        """The same with what `to_data` gave."""
        changes = {
            **data,
            "routing": Routing.from_data(data["routing"]),
            "contacted_at": _instant(data["contacted_at"]),
            "timers": tuple(
                (name, datetime.fromisoformat(due)) for name, due in data["timers"].items()
            ),
        }
        return evolve(self, **changes)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
