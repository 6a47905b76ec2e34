"""A conversation moves from one version of its graph to another: pure, the same in every replay.

Nothing that CXone or the customer sees changes by it: no effect is planned or cancelled, texts and
what waits in the outbox stay. Only state, timers and the graph that decides from now on do.
"""

from __future__ import annotations

from datetime import datetime

from sms_fsm.conversation import Conversation
from sms_fsm.events import Event
from sms_fsm.graph import StateGraph
from sms_fsm.machine import Step
from sms_fsm.values import evolve


def cross(conversation: Conversation, event: Event, old: StateGraph, new: StateGraph) -> Step:
    """What this `ConversationMigrated` does to a conversation that runs on ``old``.

    Timers that both graphs let run keep their deadline, those that only the new state needs begin
    now, others end. A waiting spell goes on where both states await delivery.
    """
    state = event.data["states"][conversation.state]
    awaited = old.states[conversation.state].awaits_delivery
    begins = new.states[state].awaits_delivery and not awaited
    after = evolve(
        conversation,
        seq=conversation.seq + 1,
        state=state,
        graph_version=event.data["to_version"],
        graph_hash=event.data["to_hash"],
        spell=conversation.spell + begins,
        spell_failed=0 if begins else conversation.spell_failed,
        timers=_timers(conversation, state, event.at, new),
    )
    return Step(
        event=event,
        before=conversation,
        after=after,
        transition=None,
        asked=(),
        planned=(),
        cancelled=(),
        refused=False,
    )


def _timers(
    conversation: Conversation, state: str, now: datetime, new: StateGraph
) -> tuple[tuple[str, datetime], ...]:
    running = dict(conversation.timers)
    needed = (timer for timer in new.timers.values() if state in timer.states)
    return tuple(sorted((t.event, running.get(t.event, now + t.after)) for t in needed))
