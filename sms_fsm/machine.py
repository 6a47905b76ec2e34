"""One event in, one frozen `Step` out: pure, and the same every time.

A graph is compiled once into one `transitions.Machine`. Its models are slotted, thrown away after
one event and never registered: a registered model is kept alive for ever and costs 14 kB. The
machine gets callables only, because it would import and call dotted names found in a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

from transitions import EventData
from transitions import Machine as TransitionsMachine

from sms_fsm.actions import Action, Planner
from sms_fsm.conversation import Conversation
from sms_fsm.effects import Cancellation, Lane, PlannedEffect
from sms_fsm.events import COMMANDS, Event
from sms_fsm.fold import fold
from sms_fsm.graph import StateGraph, Transition
from sms_fsm.guards import Guard
from sms_fsm.values import Value, evolve, finish

_FRONT = Lane.FRONT

_MOST_TURNS = 4096

Asked = tuple[tuple[str, bool], ...]
"""The guards that were asked, in order, with their answers."""


class Step(Value, frozen=True):
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
    asked: Asked
    planned: tuple[PlannedEffect, ...]
    cancelled: tuple[Cancellation, ...]
    refused: bool

    @property
    def refusing_guard(self) -> str | None:
        """The last guard that said no."""
        return next((name for name, answer in reversed(self.asked) if not answer), None)


class Choice(NamedTuple):
    """What the rules of a state say of an event.

    Args:
        transition: the first rule whose guards all hold, or None.
        asked: the guards that were asked on the way to it.
        plans: what its actions are to plan.
    """

    transition: Transition | None
    asked: Asked
    plans: tuple[Planner, ...]


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
        self._policies = graph.policies
        self._actions = actions
        self._awaiting = {state.name for state in graph.states.values() if state.awaits_delivery}
        # Events that start or end a timer where the state stays.
        self._timed = {name for t in graph.timers.values() for name in (t.event, *t.restarted_by)}
        self._turned = lru_cache(_MOST_TURNS)(self._turn)
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
        folded = fold(conversation, event, self._policies)
        transition, asked, plans = self._choice(folded, event)
        if transition is None:
            if event.name in COMMANDS:
                after = evolve(conversation, seq=conversation.seq + 1)
                return Step(event, conversation, after, None, asked, (), (), refused=True)
            target = folded.state
        else:
            target = transition.target
        planned, cancelled = self._plan(plans, folded, event) if plans else ((), ())
        # What was folded anew is ours alone, now that guards and actions have looked at it.
        made = evolve if folded is conversation else finish
        after = made(folded, **self._arrival(folded, event, target, planned))
        return Step(
            event, conversation, after, transition, asked, planned, cancelled, refused=False
        )

    def _choice(self, folded: Conversation, event: Event) -> Choice:
        """The rule that `transitions` finds, by asking guards what they say of the folded event."""
        subject = Subject(folded, event)
        trigger = self._machine.events.get(event.name)
        # `transitions` raises for an event that a state does not know; a fact must not be refused.
        if trigger is not None and subject.state in trigger.transitions:
            trigger.trigger(subject)
        return self._chosen(subject.chosen, subject.asked)

    def _chosen(self, transition: Transition | None, asked: Sequence[tuple[str, bool]]) -> Choice:
        names = () if transition is None else transition.actions
        return Choice(transition, tuple(asked), tuple([self._actions[name].plan for name in names]))

    def _plan(
        self, plans: Iterable[Planner], folded: Conversation, event: Event
    ) -> tuple[tuple[PlannedEffect, ...], tuple[Cancellation, ...]]:
        planned: list[PlannedEffect] = []
        cancelled: list[Cancellation] = []
        for plan in plans:
            for item in plan(folded, event, self._policies):
                if isinstance(item, PlannedEffect):
                    planned.append(item)
                else:
                    cancelled.append(item)
        return tuple(planned), tuple(cancelled)

    def _arrival(
        self, folded: Conversation, event: Event, target: str, planned: Iterable[PlannedEffect]
    ) -> dict[str, Any]:
        """What changes of the conversation by its new state, beside what the event did to it."""
        source = folded.state
        changes: dict[str, Any] = {"seq": folded.seq + 1}
        if planned and not folded.opening:
            changes["opening"] = _FRONT in [effect.lane for effect in planned]
        if target != source:
            changes["state"] = target
            if target in self._awaiting:
                changes["spell"] = folded.spell + 1
                changes["spell_failed"] = 0
        if target != source or event.name in self._timed:
            changes["timers"] = self._timers(folded, event, target)
        return changes

    def _timers(
        self, folded: Conversation, event: Event, target: str
    ) -> tuple[tuple[str, datetime], ...]:
        """The timers that run when an event has led from the present state to its target."""
        ended, begun = self._turned(folded.state, event.name, target)
        running = [pair for pair in folded.timers if pair[0] not in ended]
        if begun:
            running += [(name, event.at + after) for name, after in begun]
            running.sort()
        return tuple(running)

    def _turn(
        self, source: str, event: str, target: str
    ) -> tuple[frozenset[str], tuple[tuple[str, timedelta], ...]]:
        """The timers that end, and those that begin or begin anew."""
        timers = self.graph.timers.values()
        # A timer that has gone off is over, even where no rule of the graph heard it.
        ended = {event, *[timer.event for timer in timers if target not in timer.states]}
        begun = {
            timer.event: timer.after
            for timer in timers
            if target in timer.states
            and (source not in timer.states or event in timer.restarted_by)
        }
        return frozenset(ended | begun.keys()), tuple(begun.items())


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
