"""One conversation in memory, decided on by the engine's machine; its outbox is a value, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Self

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Cancellation, Lane, PlannedEffect, effect_id
from sms_fsm.events import Event
from sms_fsm.graph import StateGraph
from sms_fsm.machine import Machine, Step
from sms_fsm.testing.answers import Answer
from sms_fsm.values import Value, evolve

_CUSTOMER, _BUSINESS = "+15551234567", "+18885550100"
_OPTING = {"CustomerOptedOut": True, "CustomerOptedIn": False}


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to a conversation.

    Args:
        label: what it is, in a few words.
        passed: how long nothing happened before it.
        events: what the engine records of it, in order.
        effect: name of the effect whose outcome it is, or None.
        answer: how the call of that effect was answered, or None.
        ends: id of the effect that leaves the outbox by it, as a dead letter if ``dies``.
        revives: id of the dead letter that gets another go.
    """

    label: str
    passed: timedelta
    events: tuple[Event, ...]
    effect: str | None = None
    answer: Answer | None = None
    ends: str | None = None
    dies: bool = False
    revives: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An effect or timer of the outbox."""

    id: str
    effect: PlannedEffect
    due_at: datetime

    def wanted_after(self, cancellation: Cancellation) -> bool:
        """Whether it stays in the outbox."""
        about = cancellation.message in (None, self.effect.message)
        return not (self.effect.name in cancellation.names and about)


class Life(Value, frozen=True):
    """A conversation with all its texts, and what it still has to do.

    Args:
        lane: effects that go one after the other.
        beside: those that wait for their own due time alone.
        dead: what gave up.
        opted_out: the customer wants no texts.
    """

    conversation: Conversation
    now: datetime
    messages: tuple[Message, ...] = ()
    lane: tuple[Waiting, ...] = ()
    beside: tuple[Waiting, ...] = ()
    dead: tuple[Waiting, ...] = ()
    opted_out: bool = False

    @classmethod
    def beginning(cls, graph: StateGraph, now: datetime) -> Self:
        """Before anything happened."""
        conversation = Conversation(
            "c1", graph.initial, graph.version, graph.behaviour_hash, _CUSTOMER, _BUSINESS
        )
        return cls(conversation, now)

    @property
    def ready(self) -> tuple[Waiting, ...]:
        """What may go now or at its due time."""
        return (*self.lane[:1], *self.beside)

    def message(self, number: int | None) -> Message | None:
        """One of its texts, by the number of the event that brought it."""
        return next((message for message in self.messages if message.seq == number), None)

    def ordinal(self, number: int | None) -> int:
        """Which of its texts that is, from 1."""
        return [message.seq for message in self.messages].index(number or 0) + 1

    def after(self, machine: Machine, happening: Happening) -> tuple[Life, tuple[Step, ...]]:
        """The life that follows, and the steps that led there."""
        life = _settled(evolve(self, now=self.now + happening.passed), happening)
        steps = []
        for event in happening.events:
            step = machine.step(_loaded(life, event), event)
            life = _stepped(life, step)
            steps.append(step)
        return life, tuple(steps)


def _settled(life: Life, happening: Happening) -> Life:
    """Without the effect that ended, or with the dead letter that goes again."""
    if happening.ends is None and happening.revives is None:
        return life
    gone = [one for one in life.ready if one.id == happening.ends]
    back = [one for one in life.dead if one.id == happening.revives]
    dead = [one for one in life.dead if one not in back] + (gone if happening.dies else [])
    left = evolve(
        life,
        lane=tuple(one for one in life.lane if one not in gone),
        beside=tuple(one for one in life.beside if one not in gone),
        dead=tuple(dead),
    )
    return reduce(_with, back, left)


def _loaded(life: Life, event: Event) -> Conversation:
    """As the engine loads it for an event: with the text that it is about."""
    message = life.message(event.message)
    return life.conversation if message is None else life.conversation.with_message(message)


def _stepped(life: Life, step: Step) -> Life:
    known = {message.seq: message for message in (*life.messages, *step.after.messages)}
    after = evolve(
        life,
        conversation=evolve(step.after, messages=()),
        messages=tuple(known[number] for number in sorted(known)),
        lane=_wanted(life.lane, step.cancelled),
        beside=_wanted(life.beside, step.cancelled),
        opted_out=_OPTING.get(step.event.name, life.opted_out),
    )
    return reduce(_with, _planned(step), after)


def _with(life: Life, one: Waiting) -> Life:
    if one.effect.lane is Lane.BESIDE:
        return evolve(life, beside=(*life.beside, one))
    if one.effect.lane is Lane.FRONT:
        return evolve(life, lane=(one, *life.lane))
    return evolve(life, lane=(*life.lane, one))


def _wanted(
    waiting: tuple[Waiting, ...], cancelled: tuple[Cancellation, ...]
) -> tuple[Waiting, ...]:
    if not cancelled:
        return waiting
    return tuple(one for one in waiting if all(map(one.wanted_after, cancelled)))


def _planned(step: Step) -> Iterator[Waiting]:
    after = step.after
    for number, effect in enumerate(step.planned):
        due_at = step.event.at + effect.due_in
        yield Waiting(effect_id(after.id, after.seq, number), effect, due_at)
