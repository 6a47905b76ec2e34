"""Ways through a graph that together take every rule and see every answer."""

from __future__ import annotations

import pytest

from sms_fsm import Conversation, Registry
from sms_fsm.events import Event
from sms_fsm.graph import StateGraph, default_graph, default_graph_text, load_graph_text
from sms_fsm.machine import Machine
from sms_fsm.testing import Answer, Coverage, covering_paths

IMPOSSIBLE = {
    ("delivery-fallback", "delivered", "DeliveryReported"),
    ("delivery-fallback", "failed", "DeliveryReported"),
    ("delivery-retry", "delivered", "DeliveryReported"),
    ("delivery-retry", "failed", "DeliveryReported"),
    ("send-again", "delivered", "RetryDue"),
    ("send-again", "failed", "RetryDue"),
    ("spell-delivered", "awaiting_delivery", "EffectDied"),
    ("spell-delivered", "awaiting_delivery", "FallbackSent"),
    ("spell-delivered", "awaiting_delivery", "MessageWithdrawn"),
}
"""Rules of the shipped graph for every state that cannot apply in these: in `delivered` and
`failed` no text waits for a retry, and a text that was given up never counts as delivered."""


@pytest.fixture(scope="module")
def shipped() -> StateGraph:
    return default_graph(Registry().names)


@pytest.fixture(scope="module")
def coverage(shipped: StateGraph) -> Coverage:
    return covering_paths(shipped)


def test_every_rule_of_the_shipped_graph_that_can_apply_is_taken(
    shipped: StateGraph, coverage: Coverage
) -> None:
    taken = {
        (step.transition.id, step.transition.source, step.event.name)
        for path in coverage.paths
        for step in path.steps
        if step.transition is not None
    }
    rules = {(move.id, move.source, move.event) for move in shipped.transitions}
    assert rules - taken == IMPOSSIBLE
    assert {(t.id, t.source, t.event) for t in coverage.unreached} == IMPOSSIBLE


def test_every_answer_to_every_effect_is_seen(shipped: StateGraph, coverage: Coverage) -> None:
    seen = {(h.effect, h.answer) for path in coverage.paths for h in path.happenings}
    assert coverage.unanswered == ()
    for answer in (Answer.OK, Answer.UNAUTHORIZED, Answer.LIMITED, Answer.BROKEN, Answer.TIME_OUT):
        for effect in shipped.effects.keys() - {"SendFallback"}:
            assert (effect, answer) in seen
    assert ("PostMessage", Answer.ARCHIVED) in seen


def test_paths_are_what_the_engines_machine_does(shipped: StateGraph, coverage: Coverage) -> None:
    registry = Registry()
    machine = Machine(shipped, registry.guards, registry.actions)
    for path in coverage.paths:
        assert path.steps[0].before.state == shipped.initial
        for before, step in zip((None, *path.steps), path.steps, strict=False):
            assert machine.step(step.before, step.event) == step
            if before is not None:
                assert step.before.state == before.after.state
                assert step.before.seq == before.after.seq
                assert step.event.at >= before.event.at


def test_timers_go_off_when_the_clock_has_moved_so_far(
    shipped: StateGraph, coverage: Coverage
) -> None:
    elapsed = [
        step for path in coverage.paths for step in path.steps if step.event.name == "IdleElapsed"
    ]
    assert elapsed
    assert all(step.event.at >= dict(step.before.timers)["IdleElapsed"] for step in elapsed)


def test_the_same_graph_gives_the_same_paths(shipped: StateGraph) -> None:
    once, again = (covering_paths(shipped, effort=150) for _ in range(2))
    assert [str(path) for path in once.paths] == [str(path) for path in again.paths]


def test_no_two_paths_are_the_same_and_each_says_what_happens(coverage: Coverage) -> None:
    names = [str(path) for path in coverage.paths]
    assert len(set(names)) == len(names)
    assert any(" > PostMessage of text 1: 409 archived" in name for name in names)


def test_a_search_that_is_cut_short_says_what_it_left_out(shipped: StateGraph) -> None:
    short = covering_paths(shipped, effort=3)
    assert len(short.unreached) > 50
    assert ("SendFallback", Answer.OK) in short.unanswered


def test_a_hosts_own_guards_and_effects_are_on_the_paths() -> None:
    def on_weekends(_: Conversation, event: Event) -> bool:
        return event.at.weekday() >= 5

    registry = Registry()
    registry.guard("on_weekends", on_weekends)
    registry.effect("TellCrm", lambda *_: None)
    text = default_graph_text()
    text = text.replace(
        "timers:\n", "  TellCrm: {retry_for: 1h, on_failure: step_aside}\ntimers:\n"
    )
    text = text.replace("    do: [poll_delivery]\n", "    do: [poll_delivery, TellCrm]\n", 1)
    weekend = "  - {id: weekend, from: routed, on: MessageReceived, when: on_weekends}\n"
    text = text.replace("  - id: text-in\n", f"{weekend}  - id: text-in\n")
    found = covering_paths(load_graph_text(text, registry.names), registry, effort=1_500)

    answers = {(h.effect, h.answer) for path in found.paths for h in path.happenings}
    assert {("TellCrm", Answer.OK), ("TellCrm", Answer.BROKEN)} <= answers
    assert "weekend" in [t.id for t in found.unreached]
    asked = {name for path in found.paths for step in path.steps for name, _ in step.asked}
    assert "on_weekends" in asked
