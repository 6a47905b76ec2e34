"""One event in, one frozen `Step` out: pure, and the same every time.

A graph is compiled once into one `transitions.Machine`. Its models are slotted, thrown away after
one event and never registered: a registered model is kept alive for ever and costs 14 kB. The
machine gets callables only, because it would import and call dotted names found in a document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from transitions import EventData
from transitions import Machine as TransitionsMachine

from sms_fsm.actions import Action
from sms_fsm.conversation import Conversation
from sms_fsm.effects import Cancellation, Lane, PlannedEffect
from sms_fsm.events import COMMANDS, Event
from sms_fsm.fold import fold
from sms_fsm.graph import StateGraph, Transition
from sms_fsm.guards import Guard
from sms_fsm.values import evolve


@dataclass(frozen=True, slots=True)
class Step:
    """What one event did.

    Args:
        event: what happened.
        before, after: the conversation; ``after.seq`` is the number of the event.
        transition: the rule that applied, or None when the event moves nothing.
        asked: the guards that were asked, in order, with their answers.
        planned: the effects that were planned, in order.
        cancelled: what is no longer wanted.
        refused: it was a command and no rule allowed it; nothing else changed.
    """

    event: Event
    before: Conversation
    after: Conversation
    transition: Transition | None
    asked: tuple[tuple[str, bool], ...]
    planned: tuple[PlannedEffect, ...]
    cancelled: tuple[Cancellation, ...]
    refused: bool

    @property
    def refusing_guard(self) -> str | None:
        """The last guard that said no."""
        return next((name for name, answer in reversed(self.asked) if not answer), None)


class Subject:
    """What `transitions` moves: one event's worth of state."""

    __slots__ = ("asked", "chosen", "conversation", "event", "state")

    def __init__(self, conversation: Conversation, event: Event) -> None:
        self.state = conversation.state
        self.conversation = conversation
        self.event = event
        self.asked: list[tuple[str, bool]] = []
        self.chosen: Transition | None = None


class Machine:
    """A graph made executable.

    Args:
        graph: a checked graph.
        guards, actions: what its names mean; every name of the graph must be there.
    """

    def __init__(
        self, graph: StateGraph, guards: Mapping[str, Guard], actions: Mapping[str, Action]
    ) -> None:
        self.graph = graph
        self._actions = actions
        # Events that start or end a timer where the state stays.
        self._timed = {name for t in graph.timers.values() for name in (t.event, *t.restarted_by)}
        self._machine = TransitionsMachine(
            model=None,
            states=list(graph.states),
            initial=graph.initial,
            auto_transitions=False,
            send_event=True,
            queued=False,
        )
        for transition in graph.transitions:
            self._machine.add_transition(
                trigger=transition.event,
                source=transition.source,
                # None is an internal transition: the state is neither left nor entered.
                dest=None if transition.target == transition.source else transition.target,
                conditions=[_ask(name, guards[name]) for name in transition.guards],
                before=partial(_choose, transition),
            )

    def step(self, conversation: Conversation, event: Event) -> Step:
        """What this event does to this conversation."""
        folded = fold(conversation, event, self.graph.policies)
        subject = Subject(folded, event)
        self._fire(subject)
        if subject.chosen is None and event.name in COMMANDS:
            return self._refusal(conversation, subject)
        planned, cancelled = self._plan(subject)
        after = self._arrive(conversation, subject, planned)
        return Step(
            event=event,
            before=conversation,
            after=after,
            transition=subject.chosen,
            asked=tuple(subject.asked),
            planned=planned,
            cancelled=cancelled,
            refused=False,
        )

    def _fire(self, subject: Subject) -> None:
        trigger = self._machine.events.get(subject.event.name)
        # `transitions` raises for an event that a state does not know; a fact must not be refused.
        if trigger is not None and subject.state in trigger.transitions:
            trigger.trigger(subject)

    def _refusal(self, conversation: Conversation, subject: Subject) -> Step:
        return Step(
            event=subject.event,
            before=conversation,
            after=evolve(conversation, seq=conversation.seq + 1),
            transition=None,
            asked=tuple(subject.asked),
            planned=(),
            cancelled=(),
            refused=True,
        )

    def _plan(self, subject: Subject) -> tuple[tuple[PlannedEffect, ...], tuple[Cancellation, ...]]:
        planned: list[PlannedEffect] = []
        cancelled: list[Cancellation] = []
        for name in subject.chosen.actions if subject.chosen else ():
            plan = self._actions[name].plan
            for item in plan(subject.conversation, subject.event, self.graph.policies):
                if isinstance(item, PlannedEffect):
                    planned.append(item)
                else:
                    cancelled.append(item)
        return tuple(planned), tuple(cancelled)

    def _arrive(
        self, before: Conversation, subject: Subject, planned: tuple[PlannedEffect, ...]
    ) -> Conversation:
        folded = subject.conversation
        begins = subject.state != before.state and self.graph.states[subject.state].awaits_delivery
        return evolve(
            folded,
            seq=before.seq + 1,
            state=subject.state,
            opening=folded.opening or any(effect.lane is Lane.FRONT for effect in planned),
            spell=folded.spell + begins,
            spell_failed=0 if begins else folded.spell_failed,
            timers=self._timers(before, subject),
        )

    def _timers(self, before: Conversation, subject: Subject) -> tuple[tuple[str, datetime], ...]:
        if subject.state == before.state and subject.event.name not in self._timed:
            return before.timers
        running = dict(before.timers)
        # A timer that has gone off is over, even where no rule of the graph heard it.
        running.pop(subject.event.name, None)
        for timer in self.graph.timers.values():
            if subject.state not in timer.states:
                running.pop(timer.event, None)
            elif before.state not in timer.states or subject.event.name in timer.restarted_by:
                running[timer.event] = subject.event.at + timer.after
        return tuple(sorted(running.items()))


def _ask(name: str, guard: Guard) -> Callable[[EventData], bool]:
    def ask(data: EventData) -> bool:
        subject: Any = data.model
        answer = guard(subject.conversation, subject.event)
        subject.asked.append((name, answer))
        return answer

    return ask


def _choose(transition: Transition, data: EventData) -> None:
    subject: Any = data.model
    subject.chosen = transition
