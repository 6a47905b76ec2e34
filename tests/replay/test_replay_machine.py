"""The machine of replay takes every step as the engine's machine does, on any graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from made_logs import Life, shipped_machine

from sms_fsm.actions import ACTIONS
from sms_fsm.graph import EventKind, EventType, State, StateGraph, Timer, Transition
from sms_fsm.guards import GUARDS
from sms_fsm.machine import Machine
from sms_fsm.registry import OWN_EVENTS
from sms_fsm.replay.machine import ReplayMachine

SHIPPED = shipped_machine()
STATES = ("one", "two", "three", "four")
# Those that may be asked or asked for on every event.
ANY_GUARD = sorted(GUARDS.keys() - {"already_routed", "retry_still_planned"})
ANY_ACTION = sorted(ACTIONS.keys() - {"update_routing", "post_again", "schedule_retry"})


def some(dice: Random, names: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(dice.choice(names) for _ in range(dice.randint(0, most)))


def any_graph(dice: Random) -> StateGraph:
    """A graph that no loader would accept: shadowed rules, traps, unreachable states."""
    events = sorted(OWN_EVENTS)
    return replace(
        SHIPPED.graph,
        states={
            name: State(name, initial=name == "one", awaits_delivery=dice.random() < 0.3)
            for name in STATES
        },
        events={name: EventType(name, dice.choice(list(EventKind))) for name in events},
        timers={
            name: Timer(name, timedelta(hours=1), some(dice, STATES, 3), some(dice, events, 3))
            for name in ("IdleElapsed", "RetryDue")
        },
        transitions=tuple(
            Transition(
                id=f"rule-{number}",
                source=dice.choice(STATES),
                event=dice.choice(events),
                target=dice.choice(STATES),
                guards=some(dice, ANY_GUARD, 3),
                actions=some(dice, ANY_ACTION, 2),
            )
            for number in range(dice.randint(0, 150))
        ),
    )


def assert_same_steps(graph: StateGraph, dice: Random, events: int) -> None:
    replay = ReplayMachine(graph, GUARDS, ACTIONS)
    life = Life(Machine(graph, GUARDS, ACTIONS), 1, dice.choice)
    for _ in range(events):
        step = life.go_on()
        assert replay.step(step.before, step.event) == step


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_both_machines_take_the_same_steps_on_any_graph(seed: int) -> None:
    dice = Random(seed)
    assert_same_steps(any_graph(dice), dice, events=25)


def test_both_machines_take_the_same_steps_on_the_shipped_graph() -> None:
    for seed in range(40):
        assert_same_steps(SHIPPED.graph, Random(seed), events=40)
