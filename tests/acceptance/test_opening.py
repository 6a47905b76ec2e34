"""CONTRACT §5.1: one open conversation; look-up before creation; adopt, reactivate, create."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journeys import conversations_of, graph_with, marks, operations, pass_time, remote, texts
from world import BUSINESS, CUSTOMER, QUEUE, World

from sms_fsm import InboundMessage, InvalidMessage, Registry
from sms_fsm.simulator import Fault

OTHER_BUSINESS = "+18885550199"


def test_the_look_up_comes_before_the_creation(world: World) -> None:
    world.opened()
    assert operations(world.simulator)[:3] == [
        "findConversations",
        "findConversations",
        "createConversation",
    ]
    assert world.simulator.judge().ok


def test_a_second_text_looks_nothing_up_and_creates_nothing(world: World) -> None:
    identity = world.opened("one")
    world.text("two")
    world.engine.drain()
    assert world.simulator.count("createConversation") == 1
    assert world.simulator.count("findConversations") == 2
    assert world.posted(identity) == ["one", "two"]


def test_the_customer_participant_carries_the_business_address_and_a_reference(
    world: World,
) -> None:
    world.text(name="Ada", external_customer_id="CUST-8842", preferred_language="en")
    world.engine.drain()
    (conversation,) = conversations_of(world.simulator, CUSTOMER)
    properties = marks(conversation)
    assert properties.pop("client_reference")
    assert properties == {
        "business_address": BUSINESS,
        "external_customer_id": "CUST-8842",
        "preferred_language": "en",
    }
    assert conversation["participants"][0]["name"] == "Ada"


def test_the_creation_carries_the_same_routing_as_the_explicit_update(
    make_world: Callable[..., World],
) -> None:
    world = make_world(skills=("sms", "billing"))
    world.text()
    world.engine.drain(limit=1)
    (created,) = conversations_of(world.simulator, CUSTOMER)
    assert created["routing"]["queue_id"] == QUEUE
    assert created["routing"]["skills"] == ["sms", "billing"]
    world.engine.drain()
    (routed,) = conversations_of(world.simulator, CUSTOMER)
    assert routed["routing"] == created["routing"]
    assert world.simulator.count("updateRouting") == 1


@pytest.mark.parametrize("address", [BUSINESS, None])
def test_an_active_match_that_is_ours_or_nobodys_is_adopted(
    world: World, address: str | None
) -> None:
    there = world.simulator.open_conversation(CUSTOMER, business_address=address)
    identity = world.opened()
    assert remote(world, identity) == there
    assert world.simulator.count("createConversation") == 0
    assert texts(world.simulator, there) == ["hi"]


def test_the_oldest_match_is_adopted(world: World) -> None:
    world.simulator.open_conversation(CUSTOMER, business_address=OTHER_BUSINESS)
    oldest = world.simulator.open_conversation(CUSTOMER)
    world.simulator.open_conversation(CUSTOMER, business_address=BUSINESS)
    assert remote(world, world.opened()) == oldest


def test_a_match_of_another_business_number_is_left_alone(world: World) -> None:
    other = world.simulator.open_conversation(CUSTOMER, business_address=OTHER_BUSINESS)
    identity = world.opened()
    assert remote(world, identity) != other
    assert texts(world.simulator, other) == []
    assert world.simulator.count("createConversation") == 1


def test_a_match_that_another_pair_holds_is_left_alone(world: World) -> None:
    shared = world.simulator.open_conversation(CUSTOMER)
    first = world.opened("to the first number")
    world.text("to the second", to=OTHER_BUSINESS)
    world.engine.drain()
    second = world.engine.find(customer=CUSTOMER, business=OTHER_BUSINESS)
    assert second is not None
    assert remote(world, first) == shared
    assert second.conversation_id != shared
    assert texts(world.simulator, shared) == ["to the first number"]


def test_somebody_elses_conversation_in_a_careless_answer_is_left_alone(world: World) -> None:
    stranger = world.simulator.open_conversation("+15557654321")
    world.simulator.open_conversation(CUSTOMER, status="closed")
    world.simulator.fault(Fault("findConversations", "unfiltered", probability=1))
    identity = world.opened()
    assert texts(world.simulator, stranger) == []
    assert "ConversationClosed" not in world.events(identity)
    assert world.simulator.count("createConversation") == 1


@pytest.mark.parametrize("address", [BUSINESS, None])
def test_without_an_active_match_an_archived_one_that_fits_is_reactivated(
    world: World, address: str | None
) -> None:
    there = world.simulator.open_conversation(
        CUSTOMER, business_address=address, archived=True, routing={"queue_id": "queue_billing"}
    )
    identity = world.opened()
    conversation = world.conversation(identity)
    assert conversation.conversation_id == there
    assert conversation.routing.queue_id == "queue_billing"
    assert operations(world.simulator)[:3] == [
        "findConversations",
        "findConversations",
        "updateConversation",
    ]
    world.replied(identity)
    assert texts(world.simulator, there) == ["hi", "Hello!"]
    assert world.simulator.judge().ok


def test_an_active_match_is_preferred_to_an_archived_one(world: World) -> None:
    archived = world.simulator.open_conversation(CUSTOMER, archived=True)
    active = world.simulator.open_conversation(CUSTOMER)
    assert remote(world, world.opened()) == active
    assert texts(world.simulator, archived) == []


@pytest.mark.parametrize(
    ("address", "status"), [(OTHER_BUSINESS, "archived"), (BUSINESS, "closed")]
)
def test_an_archived_one_that_does_not_fit_and_a_closed_one_stay_as_they_are(
    world: World, address: str, status: str
) -> None:
    there = world.simulator.open_conversation(CUSTOMER, business_address=address, status=status)
    assert remote(world, world.opened()) != there
    (old, _) = conversations_of(world.simulator, CUSTOMER)
    assert old["status"] == status
    assert world.simulator.count("createConversation") == 1


def test_two_business_numbers_are_two_conversations(world: World) -> None:
    world.text("one")
    world.text("two", to=OTHER_BUSINESS)
    world.text("three")
    world.engine.drain()
    found = conversations_of(world.simulator, CUSTOMER)
    by_business = {
        marks(c)["business_address"]: texts(world.simulator, c["conversationId"]) for c in found
    }
    assert by_business == {BUSINESS: ["one", "three"], OTHER_BUSINESS: ["two"]}
    assert len(found) == 2


def test_one_number_in_two_spellings_is_one_conversation(world: World) -> None:
    first = world.text("one", from_="+1 (555) 123-4567")
    second = world.text("two", from_="+15551234567", to="+1-888-555-0100")
    assert first.conversation == second.conversation


def test_the_plus_of_a_number_is_percent_encoded(world: World) -> None:
    there = world.simulator.open_conversation(CUSTOMER)
    assert remote(world, world.opened()) == there
    assert world.simulator.judge().violations == ()


def test_short_codes_are_addresses_too(world: World) -> None:
    identity = str(world.text(from_="72345", to="55555").conversation)
    world.engine.drain()
    (conversation,) = conversations_of(world.simulator, "72345")
    assert marks(conversation)["business_address"] == "55555"
    assert world.posted(identity) == ["hi"]


# The isolation rule


def _by_language(message: InboundMessage) -> str:
    return message.preferred_language or ""


def _isolating(
    make_world: Callable[..., World], folder: Path, rule: Callable[..., Any] = _by_language
) -> World:
    registry = Registry()
    registry.isolation("by_language", rule)
    graph = graph_with(folder, ("isolation: null", "isolation: by_language"))
    return make_world(registry=registry, graph=graph)


def test_an_isolation_rule_splits_a_pair_into_several_conversations(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = _isolating(make_world, tmp_path)
    english = world.text("hi", preferred_language="en").conversation
    german = world.text("hallo", preferred_language="de").conversation
    again = world.text("hi again", preferred_language="en").conversation
    world.engine.drain()
    assert english == again != german
    assert world.posted(str(english)) == ["hi", "hi again"]
    assert world.posted(str(german)) == ["hallo"]
    assert world.simulator.count("createConversation") == 2


def test_an_isolation_rule_that_gives_no_string_is_named(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = _isolating(make_world, tmp_path, lambda _: None)
    with pytest.raises(InvalidMessage) as refused:
        world.text("hi")
    assert refused.value.field == "isolation"
    assert world.engine.conversations() == []


def test_without_an_isolation_rule_a_pair_is_never_split(world: World) -> None:
    english = world.text("hi", preferred_language="en").conversation
    german = world.text("hallo", preferred_language="de").conversation
    assert english == german


# A creation whose answer was lost


def _how(world: World, identity: str) -> str:
    opened = [e for e in world.engine.history(identity) if e.name == "ConversationOpened"]
    (event,) = opened
    return str(event.data["how"])


def test_a_lost_creation_is_found_at_once_by_its_reference(world: World) -> None:
    world.simulator.fault(Fault("createConversation", "reset"))
    identity = world.opened()
    assert _how(world, identity) == "found"
    assert world.posted(identity) == ["hi"]
    assert world.simulator.count("createConversation") == 1


def test_a_lost_creation_is_found_by_its_reference_and_not_by_its_age(world: World) -> None:
    """Somebody else's conversation that opened meanwhile is not taken for ours."""
    world.simulator.fault(Fault("createConversation", "late", late_seconds=10))
    identity = str(world.text().conversation)
    world.engine.drain()
    world.simulator.open_conversation(CUSTOMER)
    pass_time(world, times=3)
    (ours,) = [c for c in conversations_of(world.simulator, CUSTOMER) if marks(c)]
    assert remote(world, identity) == ours["conversationId"]
    assert world.simulator.count("createConversation") == 1


def test_a_lost_creation_that_the_search_shows_late_is_not_created_again(world: World) -> None:
    world.simulator.fault(Fault("findConversations", "lag", seconds=30, probability=1))
    world.simulator.fault(Fault("createConversation", "reset"))
    identity = str(world.text().conversation)
    world.engine.drain()
    assert world.state(identity) == "new"
    world.clock.forward(seconds=59)
    assert world.engine.drain() == 0
    world.clock.forward(seconds=1)
    world.engine.drain()
    assert _how(world, identity) == "found"
    assert world.simulator.count("createConversation") == 1
    assert world.simulator.judge().ok


def test_a_creation_that_is_applied_late_is_not_created_again(world: World) -> None:
    world.simulator.fault(Fault("createConversation", "late", late_seconds=45))
    identity = str(world.text().conversation)
    pass_time(world, times=6, seconds=20)
    assert _how(world, identity) == "found"
    assert len(conversations_of(world.simulator, CUSTOMER)) == 1


def test_a_creation_that_never_was_is_made_once_when_it_must_have_settled(world: World) -> None:
    world.simulator.fault(Fault("createConversation", "reset", applied=0))
    identity = str(world.text().conversation)
    world.engine.drain()
    world.clock.forward(seconds=59)
    world.engine.drain()
    assert world.simulator.count("createConversation") == 1
    world.clock.forward(seconds=1)
    world.engine.drain()
    assert world.simulator.count("createConversation") == 2
    assert len(conversations_of(world.simulator, CUSTOMER)) == 1
    assert _how(world, identity) == "created"


def test_a_lost_creation_that_was_archived_meanwhile_is_still_ours(world: World) -> None:
    world.simulator.fault(Fault("createConversation", "late", late_seconds=10))
    identity = str(world.text().conversation)
    world.engine.drain()
    world.clock.forward(seconds=20)
    (created,) = conversations_of(world.simulator, CUSTOMER)
    world.simulator.archive(created["conversationId"])
    pass_time(world, times=3)
    assert remote(world, identity) == created["conversationId"]
    assert world.posted(identity) == ["hi"]
    assert world.simulator.judge().ok


def test_an_opening_by_the_business_follows_the_same_rules(world: World) -> None:
    there = world.simulator.open_conversation(CUSTOMER)
    receipt = world.engine.initiate(to=CUSTOMER, from_=BUSINESS, text="Sale!", key="o-1")
    world.text("hello")
    world.engine.drain()
    assert texts(world.simulator, there) == ["Sale!", "hello"]
    assert remote(world, str(receipt.conversation)) == there
    assert world.simulator.count("createConversation") == 0
