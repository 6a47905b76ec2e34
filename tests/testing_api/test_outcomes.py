"""What paths say that an answer comes to is what the engine really records of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import pytest

from sms_fsm import InboundMessage, Registry, Routing
from sms_fsm.graph import default_graph
from sms_fsm.ports import NewConversation
from sms_fsm.testing import Answer, covering_paths
from sms_fsm.testing.outcomes import ANSWERS

from .conftest import BUSINESS, CUSTOMER, Host

CALLS = {
    "OpenConversation": "create_conversation",
    "ReactivateConversation": "reactivate",
    "PostMessage": "post_message",
    "RouteConversation": "update_routing",
    "UpdateRouting": "update_routing",
    "PollDelivery": "delivery_statuses",
}


def opening(host: Host) -> str:
    return host.texted()


def posting(host: Host) -> str:
    conversation = host.opened()
    host.engine.reply(conversation, "Hello!", key="k1")
    return conversation


def routing(host: Host) -> str:
    conversation = host.texted()
    host.engine.drain(limit=2)
    return conversation


def handing_over(host: Host) -> str:
    conversation = host.opened()
    host.engine.transfer(conversation, queue_id="billing", key="k1")
    return conversation


def reactivating(host: Host) -> str:
    conversation = posting(host)
    host.platform.archive(host.platform.conversations[0].conversation_id)
    host.engine.drain(limit=1)
    return conversation


def polling(host: Host) -> str:
    conversation = posting(host)
    host.engine.drain()
    host.platform.report(host.platform.posted[1].message_id, "delivered")
    host.clock.forward(seconds=300)
    return conversation


PLACES: dict[str, Callable[[Host], str]] = {
    "OpenConversation": opening,
    "ReactivateConversation": reactivating,
    "PostMessage": posting,
    "RouteConversation": routing,
    "UpdateRouting": handing_over,
    "PollDelivery": polling,
}
Told = Mapping[tuple[str | None, Answer | None], set[tuple[str, ...]]]

CASES = [(effect, answer) for effect, answers in ANSWERS.items() for answer in answers]


@pytest.fixture(scope="module")
def told() -> Told:
    """Names of the events that paths take each answer for."""
    found = defaultdict(set)
    for path in covering_paths(default_graph(Registry().names), effort=1_500).paths:
        for happening in path.happenings:
            names = tuple(event.name for event in happening.events)
            found[happening.effect, happening.answer].add(names)
    return found


@pytest.mark.parametrize(("effect", "answer"), CASES, ids=str)
def test_paths_and_engine_agree_on_what_an_answer_comes_to(
    host: Host,
    told: Told,
    effect: str,
    answer: Answer,
) -> None:
    call, times = CALLS[effect], 1
    if (effect, answer) == ("OpenConversation", Answer.ARCHIVED):
        call = _asleep(host)
    if answer is Answer.GONE and effect != "PollDelivery":
        times = 2  # it is looked for once before it is given up
    conversation = PLACES[effect](host)
    before = len(host.events(conversation))

    host.platform.answer(call, *[answer] * times)
    host.engine.drain(limit=times)

    assert tuple(host.events(conversation)[before:]) in told[effect, answer]


def _asleep(host: Host) -> str:
    """An archived conversation of the customer is there, and will not wake up."""
    new = NewConversation(CUSTOMER, BUSINESS, "other", inbound=True, routing=Routing())
    found = host.platform.create_conversation(new, timeout_seconds=1)
    host.platform.archive(found.conversation_id)
    return "reactivate"


def test_paths_and_engine_agree_on_texts_that_are_withdrawn(host: Host, told: Told) -> None:
    conversation = posting(host)
    stop = InboundMessage(message_id="m2", from_=CUSTOMER, to=BUSINESS, text="STOP")
    host.engine.receive(stop)

    host.engine.drain(limit=1)

    assert host.events(conversation)[-1:] == ["MessageWithdrawn"]
    assert ("MessageWithdrawn",) in told["PostMessage", None]
