"""What a move does to one conversation: state, timers and spell; nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from versions import FIRST, SENDING, version

from sms_fsm import events
from sms_fsm.conversation import Conversation
from sms_fsm.crossing import cross
from sms_fsm.graph import StateGraph, Timer
from sms_fsm.machine import Step
from sms_fsm.values import evolve

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = version(FIRST), version(SENDING)
STATES = dict(NEW.migrations[0].states)
HOUR = timedelta(hours=1)


def conversation(state: str, **fields: object) -> Conversation:
    bare = Conversation("c1", state, 1, OLD.behaviour_hash, "+15551234567", "+18885550100", seq=4)
    return evolve(bare, **fields)


def crossed(before: Conversation, old: StateGraph = OLD, new: StateGraph = NEW) -> Step:
    event = events.conversation_migrated(
        NOW,
        from_version=1,
        from_hash=old.behaviour_hash,
        to_version=2,
        to_hash=new.behaviour_hash,
        states=STATES,
    )
    return cross(before, event, old, new)


def with_timers(graph: StateGraph, **timers: tuple[str, ...]) -> StateGraph:
    return replace(
        graph, timers={name: Timer(name, HOUR, states) for name, states in timers.items()}
    )


@given(st.sampled_from(sorted(OLD.states)), st.integers(0, 9), st.booleans())
def test_only_graph_state_timers_and_number_change(state: str, count: int, flag: bool) -> None:
    before = conversation(state, outstanding=count, opening=flag, participant_id="agent-1")
    step = crossed(before)
    assert (step.planned, step.cancelled, step.transition, step.refused) == ((), (), None, False)
    untouched = evolve(
        step.after,
        seq=before.seq,
        state=before.state,
        graph_version=before.graph_version,
        graph_hash=before.graph_hash,
        timers=before.timers,
    )
    assert untouched == before
    assert (step.after.seq, step.after.graph_version) == (5, 2)
    assert (step.after.state, step.after.graph_hash) == (STATES[state], NEW.behaviour_hash)


def test_a_timer_of_both_versions_keeps_its_deadline() -> None:
    due = NOW + timedelta(hours=3)
    old = with_timers(OLD, Idle=("routed",))
    after = crossed(
        conversation("routed", timers=(("Idle", due),)), old, with_timers(NEW, Idle=("routed",))
    ).after
    assert after.timers == (("Idle", due),)


def test_a_deadline_that_is_over_still_comes() -> None:
    due = NOW - HOUR
    after = crossed(conversation("routed", timers=(("IdleElapsed", due),))).after
    assert after.timers == (("IdleElapsed", due),)


def test_a_timer_that_only_the_new_state_needs_begins_now() -> None:
    after = crossed(conversation("routed"), OLD, with_timers(NEW, Idle=("routed",))).after
    assert after.timers == (("Idle", NOW + HOUR),)


def test_a_timer_that_the_new_state_does_not_need_ends() -> None:
    before = conversation("routed", timers=(("Idle", NOW), ("Other", NOW)))
    after = crossed(before, OLD, with_timers(NEW, Idle=("active",))).after
    assert after.timers == ()


@pytest.mark.parametrize(
    ("old_awaits", "new_awaits", "spell", "failed"),
    [(True, True, 3, 1), (False, True, 4, 0), (True, False, 3, 1), (False, False, 3, 1)],
)
def test_a_waiting_spell_goes_on_where_both_states_wait(
    old_awaits: bool, new_awaits: bool, spell: int, failed: int
) -> None:
    def waiting(graph: StateGraph, awaits: bool) -> StateGraph:
        state = replace(graph.states["failed"], awaits_delivery=awaits)
        return replace(graph, states={**graph.states, "failed": state})

    before = conversation("failed", spell=3, spell_failed=1)
    after = crossed(before, waiting(OLD, old_awaits), waiting(NEW, new_awaits)).after
    assert (after.spell, after.spell_failed) == (spell, failed)
