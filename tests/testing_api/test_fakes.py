"""The clock and the platform that hosts give to an engine in their own tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sms_fsm import CXoneError, DeliveryStatus
from sms_fsm.conversation import Routing
from sms_fsm.ports import Messaging, NewConversation, NewMessage
from sms_fsm.sms import Encoding
from sms_fsm.testing import Answer, FakePlatform, FrozenClock

from .conftest import CUSTOMER, Host

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = FrozenClock(NOON)
    assert clock() == clock() == NOON
    assert clock.forward(timedelta(minutes=5), seconds=1, hours=2) == clock()
    assert clock() == NOON + timedelta(hours=2, minutes=5, seconds=1)


def test_a_clock_does_not_run_backwards_and_knows_its_zone() -> None:
    with pytest.raises(ValueError, match="backwards"):
        FrozenClock().forward(seconds=-1)
    with pytest.raises(ValueError, match="aware"):
        FrozenClock(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the mistake


def test_the_whole_journey_runs_without_a_network(host: Host) -> None:
    conversation = host.opened()
    host.engine.reply(conversation, "Hello!", key="k1")
    host.engine.drain()

    (remote,) = host.platform.conversations
    assert [posted.new.text for posted in host.platform.posted] == ["hi", "Hello!"]
    assert remote.routing.queue_id == "support"
    host.engine.record(
        DeliveryStatus(
            message_id=host.platform.posted[1].message_id,
            conversation_id=remote.conversation_id,
            status="delivered",
        )
    )
    assert host.engine.conversation(conversation).state == "delivered"


def test_a_carriers_word_is_there_for_those_who_ask(host: Host) -> None:
    conversation = host.opened()
    host.engine.reply(conversation, "Hello!", key="k1")
    host.engine.drain()
    host.platform.report(host.platform.posted[1].message_id, "delivered")

    host.clock.forward(seconds=300)
    host.engine.drain()

    assert host.engine.conversation(conversation).state == "delivered"


def test_an_archived_conversation_is_reactivated_first(host: Host) -> None:
    conversation = host.opened()
    host.platform.archive(host.platform.conversations[0].conversation_id)

    host.engine.reply(conversation, "Hello!", key="k1")
    host.engine.drain()

    assert not host.platform.conversations[0].archived
    assert host.platform.calls[-4:] == (
        "post_message", "get_conversation", "reactivate", "post_message",
    )  # fmt: skip


def test_a_closed_conversation_gets_a_successor(host: Host) -> None:
    conversation = host.opened()
    host.platform.close(host.platform.conversations[0].conversation_id)

    host.engine.reply(conversation, "Hello!", key="k1")
    host.engine.drain()

    first, second = host.platform.conversations
    assert (first.closed, second.closed) == (True, False)
    assert host.platform.posted[-1].conversation_id == second.conversation_id


def test_a_lost_answer_is_applied_and_posted_once(host: Host) -> None:
    conversation = host.opened()
    host.platform.answer("post_message", Answer.LOST)

    host.engine.reply(conversation, "Hello!", key="k1")
    host.engine.drain()

    assert [posted.new.text for posted in host.platform.posted] == ["hi", "Hello!"]
    assert host.events(conversation)[-2:] == ["AnswerLost", "MessagePosted"]


def test_a_time_out_is_not_applied_and_tried_again_when_it_has_settled(host: Host) -> None:
    conversation = host.opened()
    host.platform.answer("post_message", Answer.TIME_OUT)
    host.engine.reply(conversation, "Hello!", key="k1")
    host.engine.drain()
    assert len(host.platform.posted) == 1

    host.clock.forward(seconds=60)
    host.engine.drain()

    assert len(host.platform.posted) == 2


def test_unknown_calls_and_messages_are_mistakes_of_the_test(host: Host) -> None:
    with pytest.raises(ValueError, match="'post' is none of"):
        host.platform.answer("post", Answer.OK)
    with pytest.raises(LookupError):
        host.platform.report("msg-7", "delivered")


def test_the_platform_fulfils_the_port_in_every_call() -> None:
    fake = FakePlatform()
    platform: Messaging = fake
    new = NewConversation(CUSTOMER, "+18885550100", "c1:1:0", True, Routing(queue_id="q"))
    created = platform.create_conversation(new, timeout_seconds=1)
    text = NewMessage("hi", Encoding.GSM7, inbound=True, client_reference="c1:1:1.0")
    posted = platform.post_message(created.conversation_id, text, timeout_seconds=1)
    listed = platform.list_messages(created.conversation_id, timeout_seconds=1)
    assert list(listed) == [posted]

    def found(status: str) -> list[str]:
        matches = platform.find_conversations(CUSTOMER, status, timeout_seconds=1)
        return [match.conversation_id for match in matches]

    assert (found("active"), found("archived")) == (["conv-1"], [])
    fake.archive("conv-1")
    assert (found("active"), found("archived")) == ([], ["conv-1"])
    platform.reactivate("conv-1", Routing(queue_id="other"), timeout_seconds=1)
    platform.update_routing("conv-1", Routing(agent_id="a"), timeout_seconds=1)
    shown = platform.get_conversation("conv-1", timeout_seconds=1)
    assert shown.routing == Routing(queue_id="other", agent_id="a")
    fake.close("conv-1")
    assert found("closed") == ["conv-1"]
    assert list(platform.delivery_statuses("conv-1", timeout_seconds=1)) == []


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (lambda p: p.get_conversation("conv-9", timeout_seconds=1), 404),
        (lambda p: p.list_messages("conv-9", timeout_seconds=1), 404),
        (lambda p: p.update_routing("conv-9", Routing(), timeout_seconds=1), 404),
    ],
)
def test_what_is_not_there_is_not_found(act: Callable[[FakePlatform], object], status: int) -> None:
    with pytest.raises(CXoneError) as refused:
        act(FakePlatform())
    assert (refused.value.status, refused.value.retryable) == (status, False)
