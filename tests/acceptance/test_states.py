"""CONTRACT §6: which event moves which state."""

from __future__ import annotations

import pytest
from world import BUSINESS, CUSTOMER, QUEUE, World

from sms_fsm import TransitionRefused


def test_the_first_text_opens_posts_and_routes(world: World) -> None:
    receipt = world.text("hi")
    assert (receipt.duplicate, receipt.state) == (False, "new")
    world.engine.drain()
    assert receipt.conversation is not None
    conversation = world.conversation(receipt.conversation)
    assert conversation.state == "routed"
    assert conversation.routing.queue_id == QUEUE
    assert world.posted(conversation.id) == ["hi"]
    history = world.engine.history(conversation.id)
    assert [(event.source, event.target) for event in history] == [
        ("new", "new"),
        ("new", "active"),
        ("active", "active"),
        ("active", "routed"),
    ]
    assert [op for op, _ in world.simulator.requests][-3:] == [
        "createConversation",
        "postMessage",
        "updateRouting",
    ]


def test_outreach_opens_a_conversation_and_awaits_delivery(world: World) -> None:
    receipt = world.engine.initiate(to=CUSTOMER, from_=BUSINESS, text="Sale!", key="o-1")
    world.engine.drain()
    assert receipt.conversation is not None
    assert world.state(receipt.conversation) == "awaiting_delivery"
    assert world.conversation(receipt.conversation).routing.queue_id == QUEUE


def test_an_adopted_conversation_with_a_queue_is_routed_at_once(world: World) -> None:
    there = world.simulator.open_conversation(
        CUSTOMER, business_address=BUSINESS, routing={"queue_id": "queue_billing"}
    )
    identity = world.opened()
    conversation = world.conversation(identity)
    assert conversation.conversation_id == there
    assert conversation.state == "routed"
    assert conversation.routing.queue_id == "queue_billing"
    assert world.simulator.count("updateRouting") == 0
    assert world.simulator.count("createConversation") == 0


def test_an_adopted_conversation_without_a_queue_is_routed_explicitly(world: World) -> None:
    world.simulator.open_conversation(CUSTOMER)
    identity = world.opened()
    assert world.state(identity) == "routed"
    assert world.simulator.count("updateRouting") == 1
    assert world.simulator.count("createConversation") == 0


@pytest.mark.parametrize("prepare", ["new", "archived"])
def test_texts_and_transfers_queue_behind_opening_and_reactivation(
    world: World, prepare: str
) -> None:
    receipt = world.text("first")
    identity = receipt.conversation
    assert identity is not None
    if prepare == "archived":
        world.engine.drain()
        remote = world.conversation(identity).conversation_id
        assert remote is not None
        world.simulator.archive(remote)
        assert world.state(identity) == "archived"
    world.engine.reply(identity, "second", key="k-2")
    world.engine.transfer(identity, key="k-3", queue_id="queue_billing")
    world.text("fourth")
    assert world.state(identity) == prepare
    world.engine.drain()
    assert world.posted(identity) == ["first", "second", "fourth"]
    assert world.state(identity) == "awaiting_delivery"
    assert world.conversation(identity).routing.queue_id == "queue_billing"


def test_an_outbound_text_taken_by_the_platform_awaits_delivery(world: World) -> None:
    identity = world.opened()
    world.engine.reply(identity, "Hello!", key="k")
    assert world.state(identity) == "routed"
    world.engine.drain()
    assert world.state(identity) == "awaiting_delivery"


def test_an_internal_note_moves_nothing(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, "call him back", internal_note=True)
    assert world.state(identity) == "routed"
    assert message.status == "accepted"
    world.clock.forward(hours=2)
    assert world.engine.drain() == 0


def test_a_customers_text_after_delivery_is_routed_when_posted(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity)
    assert world.says(message, "delivered", "DELIVRD").state == "delivered"
    world.text("thanks")
    assert world.state(identity) == "delivered"
    world.engine.drain()
    assert world.state(identity) == "routed"


def test_a_customers_text_does_not_end_the_waiting_for_delivery(world: World) -> None:
    identity = world.opened()
    world.replied(identity)
    world.text("hello?")
    world.engine.drain()
    assert world.state(identity) == "awaiting_delivery"


def test_the_last_settled_text_ends_the_waiting_spell(world: World) -> None:
    identity = world.opened()
    first, second = world.replied(identity, "one"), world.replied(identity, "two")
    assert world.says(first, "delivered").state == "awaiting_delivery"
    assert world.says(second, "delivered").state == "delivered"


def test_one_failure_for_good_makes_the_whole_spell_failed(world: World) -> None:
    identity = world.opened()
    first, second = world.replied(identity, "one"), world.replied(identity, "two")
    assert world.says(first, "failed", None, None, "30005").state == "awaiting_delivery"
    assert world.says(second, "delivered").state == "failed"


def test_a_failure_of_an_earlier_spell_does_not_count(world: World) -> None:
    identity = world.opened()
    assert world.says(world.replied(identity), "failed", None, None, "30005").state == "failed"
    assert world.says(world.replied(identity, "again"), "delivered").state == "delivered"


def test_archival_by_hand_by_webhook_and_by_time(world: World) -> None:
    identity = world.opened()
    assert world.engine.archive(identity).state == "archived"
    world.text("back")
    world.engine.drain()
    assert world.state(identity) == "routed"
    remote = world.conversation(identity).conversation_id
    assert world.engine.archive(conversation_id=remote).state == "archived"
    world.text("back again")
    world.engine.drain()
    world.clock.forward(hours=72, seconds=-1)
    world.engine.drain()
    assert world.state(identity) == "routed"
    world.clock.forward(seconds=1)
    world.engine.drain()
    assert world.state(identity) == "archived"


def test_each_message_restarts_the_idle_timer_and_the_timer_calls_nothing(world: World) -> None:
    identity = world.opened()
    world.clock.forward(hours=71)
    world.says(world.replied(identity), "delivered")
    world.clock.forward(hours=71)
    world.engine.drain()
    assert world.state(identity) == "delivered"
    calls = len(world.simulator.requests)
    world.clock.forward(hours=1)
    world.engine.drain()
    assert world.state(identity) == "archived"
    assert len(world.simulator.requests) == calls


def test_what_was_never_opened_cannot_be_archived_by_hand(world: World) -> None:
    identity = world.text().conversation
    assert identity is not None
    with pytest.raises(TransitionRefused) as refused:
        world.engine.archive(identity)
    assert (refused.value.state, refused.value.event) == ("new", "ArchiveRequested")
    assert world.engine.history(identity)[-1].refused


def test_late_statuses_of_an_archived_conversation_move_messages_only(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    world.engine.archive(identity)
    assert world.says(message, "delivered").state == "archived"
    assert world.message(identity, "k").status == "delivered"


def test_an_outbound_text_reactivates_and_awaits_delivery(world: World) -> None:
    identity = world.opened()
    remote = world.conversation(identity).conversation_id
    assert remote is not None
    world.simulator.archive(remote)
    world.replied(identity, "are you there?")
    assert [e.target for e in world.engine.history(identity)][-2:] == [
        "reactivated",
        "awaiting_delivery",
    ]


def test_a_conversation_found_open_is_reactivated_without_a_put(world: World) -> None:
    identity = world.opened()
    world.clock.forward(hours=72)
    world.engine.drain()
    assert world.state(identity) == "archived"
    world.text("back")
    world.engine.drain()
    assert world.state(identity) == "routed"
    assert world.simulator.count("updateConversation") == 0


def test_a_conversation_closed_for_good_is_replaced_and_nothing_is_lost(world: World) -> None:
    identity = world.opened("one")
    old = world.conversation(identity).conversation_id
    assert old is not None
    world.simulator.close(old)
    world.engine.reply(identity, "two", key="k-2")
    world.text("three")
    world.engine.drain()
    new = world.conversation(identity).conversation_id
    assert new != old
    assert world.posted(identity) == ["two", "three"]
    names = world.events(identity)
    assert "ConversationClosed" in names
    opened = [e for e in world.engine.history(identity) if e.name == "ConversationOpened"]
    assert (opened[-1].data["replaced"], opened[-1].data["conversation_id"]) == (old, new)
    assert opened[-1].source == "new"
    assert world.conversation(identity).routing.queue_id == QUEUE


def test_an_assignment_is_stored_and_routes(world: World) -> None:
    world.simulator.open_conversation(CUSTOMER)
    identity = world.text().conversation
    assert identity is not None
    world.engine.drain(limit=1)
    assert world.state(identity) == "active"
    remote = world.conversation(identity).conversation_id
    assert remote is not None
    world.simulator.assign(remote, "agent-7", agent_id="a7")
    assert world.state(identity) == "routed"
    assert world.conversation(identity).participant_id == "agent-7"
    world.replied(identity, "Hello from seven")
    assert world.simulator.messages(remote)[-1]["participant_id"] == "agent-7"
