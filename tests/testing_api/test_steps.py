"""What tests say of steps, and what they are told when it is not so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sms_fsm import Registry, events
from sms_fsm.graph import default_graph
from sms_fsm.machine import Machine, Step
from sms_fsm.testing import (
    assert_moved,
    assert_planned,
    assert_refused,
    assert_stayed,
    covering_paths,
    described,
)

STEPS = [
    step
    for path in covering_paths(default_graph(Registry().names), effort=60).paths
    for step in path.steps
]


def first(fits: Callable[[Step], bool]) -> Step:
    return next(filter(fits, STEPS))


MOVED = first(lambda step: step.transition is not None and step.transition.id == "taken")
STAYED = first(lambda step: step.transition is not None and step.transition.id == "first-text")


def test_a_move_is_told_from_a_stay() -> None:
    assert_moved(MOVED, "awaiting_delivery", by="taken")
    assert_stayed(STAYED, by="first-text")
    assert_planned(STAYED, "OpenConversation", "PostMessage", "RouteConversation")


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (lambda: assert_moved(STAYED, "active"), "expected a move to active, but MessageReceived"),
        (lambda: assert_moved(STAYED, "new"), "expected a move to new"),
        (lambda: assert_moved(MOVED, "failed"), "MessagePosted: .* → awaiting_delivery"),
        (lambda: assert_moved(MOVED, "awaiting_delivery", by="reply"), "by reply, but"),
        (lambda: assert_stayed(MOVED), "expected no move"),
        (lambda: assert_stayed(STAYED, by="taken"), "expected no move by taken"),
        (lambda: assert_planned(STAYED), "expected to plan nothing"),
        (lambda: assert_planned(STAYED, "PostMessage"), "planned: OpenConversation, PostMessage"),
        (lambda: assert_refused(STAYED), "expected a refusal"),
    ],
)
def test_a_failed_claim_tells_the_whole_step(claim: Callable[[], None], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        claim()


def test_a_refusal_names_its_guard() -> None:
    registry = Registry()
    machine = Machine(default_graph(registry.names), registry.guards, registry.actions)
    archive = events.archive_requested(STAYED.event.at, key=None)
    refused = machine.step(STAYED.before, archive)
    assert_refused(refused)
    with pytest.raises(AssertionError, match="by no_such_guard"):
        assert_refused(refused, guard="no_such_guard")


def test_a_step_is_described_without_numbers_or_texts() -> None:
    assert described(MOVED) == (
        f"MessagePosted: {MOVED.before.state} → awaiting_delivery, by taken, "
        "asked: is_outbound yes, planned: PollDelivery"
    )
