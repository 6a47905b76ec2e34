"""CONTRACT §5.9: archived means reactivate first; closed for good means replaced, or held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journeys import (
    conversations_of,
    graph_with,
    operations,
    pass_time,
    recorded_bodies,
    remote,
    retry_all,
)
from world import CUSTOMER, QUEUE, World

from sms_fsm.simulator import Fault

QUIET_HOURS = 24.5


def _archived_in_silence(world: World) -> str:
    """A conversation that the platform archived without a word; gives the engine's id."""
    identity = world.opened("one")
    world.simulator.archive(remote(world, identity), notify=False)
    return identity


# Looked up before posting


def test_after_a_long_silence_the_archived_flag_is_looked_up_before_posting(world: World) -> None:
    identity = _archived_in_silence(world)
    world.clock.forward(hours=QUIET_HOURS)
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert operations(world.simulator)[-4:] == [
        "getConversation",
        "getConversation",
        "updateConversation",
        "postMessage",
    ]
    assert world.posted(identity) == ["one", "two"]
    archived = [e for e in world.engine.history(identity) if e.name == "ConversationArchived"]
    assert [event.data["source"] for event in archived] == ["flag"]


@pytest.mark.parametrize(("seconds", "look_ups"), [(599, 0), (600, 1)])
def test_the_silence_is_a_setting(
    make_world: Callable[..., World], seconds: float, look_ups: int
) -> None:
    world = make_world(archive_check_after_seconds=600)
    identity = world.opened("one")
    world.clock.forward(seconds=seconds)
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert world.simulator.count("getConversation") == look_ups
    assert world.posted(identity) == ["one", "two"]


def test_the_flag_is_not_looked_up_while_the_platform_is_known_to_hold_it_open(
    world: World,
) -> None:
    identity = world.opened("one")
    for n in range(5):
        world.clock.forward(hours=20)
        world.says(world.replied(identity, str(n)), "delivered")
    assert world.simulator.count("getConversation") == 0


def test_a_hand_over_looks_the_flag_up_too(world: World) -> None:
    identity = _archived_in_silence(world)
    world.clock.forward(hours=QUIET_HOURS)
    world.engine.transfer(identity, key="k-2", queue_id="queue_billing")
    world.engine.drain()
    assert 409 not in [entry.status for entry in world.simulator.ledger]
    assert world.conversation(identity).routing.queue_id == "queue_billing"


def test_a_webhook_alone_is_enough_to_reactivate_first(world: World) -> None:
    identity = world.opened("one")
    world.simulator.archive(remote(world, identity))
    assert world.state(identity) == "archived"
    world.text("two")
    world.engine.drain()
    assert 409 not in [entry.status for entry in world.simulator.ledger]
    assert world.posted(identity) == ["one", "two"]


# Recovered from a 409


@pytest.mark.parametrize("inbound", [True, False])
def test_a_409_is_answered_by_a_reactivation_and_the_same_text_goes_once(
    world: World, inbound: bool
) -> None:
    identity = _archived_in_silence(world)
    if inbound:
        world.text("two")
    else:
        world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert operations(world.simulator)[-4:] == [
        "postMessage",
        "getConversation",
        "updateConversation",
        "postMessage",
    ]
    assert world.posted(identity) == ["one", "two"]
    assert world.state(identity) == ("routed" if inbound else "awaiting_delivery")
    archived = [e for e in world.engine.history(identity) if e.name == "ConversationArchived"]
    assert [event.data["source"] for event in archived] == ["conflict"]
    assert world.simulator.judge().ok


def test_a_409_of_a_hand_over_is_recovered_too(world: World) -> None:
    identity = _archived_in_silence(world)
    world.engine.transfer(identity, key="k-2", queue_id="queue_billing")
    world.engine.drain()
    (conversation,) = conversations_of(world.simulator, CUSTOMER)
    assert conversation["routing"]["queue_id"] == "queue_billing"
    assert conversation["status"] == "active"


@pytest.mark.parametrize("operation", ["postMessage", "updateRouting"])
def test_a_409_that_names_no_reason_is_recovered_too(world: World, operation: str) -> None:
    identity = _archived_in_silence(world)
    world.simulator.fault(Fault(operation, "status", status=409, code="no word"))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.transfer(identity, key="k-3", queue_id="queue_billing")
    world.engine.drain()
    (conversation,) = conversations_of(world.simulator, CUSTOMER)
    assert world.posted(identity) == ["one", "two"]
    assert conversation["routing"]["queue_id"] == "queue_billing"
    assert world.engine.dead_letters() == []


def test_what_waits_behind_a_409_keeps_its_order(world: World) -> None:
    identity = _archived_in_silence(world)
    world.text("two")
    world.engine.reply(identity, "three", key="k-3")
    world.text("four")
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three", "four"]
    assert world.simulator.count("updateConversation") == 1


def test_a_conversation_that_is_archived_again_before_the_post_is_recovered_again(
    world: World,
) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "archive", times=2))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert world.posted(identity) == ["one", "two"]
    assert world.simulator.count("updateConversation") == 2


@pytest.mark.parametrize(
    "trouble",
    [
        Fault("postMessage", "status", status=409, probability=1),
        Fault("postMessage", "archive", probability=1),
        Fault("updateConversation", "ignore", probability=1),
    ],
    ids=["always 409", "archived every time", "reactivation does nothing"],
)
def test_a_409_that_does_not_end_is_paced_and_ends_as_a_dead_letter(
    world: World, trouble: Fault
) -> None:
    identity = _archived_in_silence(world)
    world.simulator.fault(trouble)
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert world.simulator.count("postMessage") <= 10
    pass_time(world, times=13, seconds=2 * 3600)
    assert [effect.name for effect in world.engine.dead_letters()] == ["PostMessage"]
    assert world.simulator.count("postMessage") <= 60
    world.simulator.clear_faults()
    retry_all(world)
    assert world.posted(identity) == ["one", "two"]


# What a reactivation is


def test_a_reactivation_refreshes_the_carrier_route_and_keeps_the_last_known_routing(
    world: World,
) -> None:
    identity = world.opened("one")
    world.engine.transfer(identity, key="k-1", queue_id="queue_billing", skills=["vip"], priority=3)
    world.engine.drain()
    world.simulator.archive(remote(world, identity))
    bodies = recorded_bodies(world.simulator)
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    (body,) = [body for operation, body in bodies if operation == "updateConversation"]
    assert (body["status"], body["archived"]) == ("active", False)
    assert (
        body["routing"]
        | {
            "queue_id": "queue_billing",
            "skills": ["vip"],
            "priority": 3,
            "refresh_carrier_route": True,
        }
        == body["routing"]
    )
    assert world.simulator.judge().ok


def test_a_reactivation_whose_answer_was_lost_is_repeated_or_found_done(world: World) -> None:
    identity = world.opened("one")
    world.simulator.archive(remote(world, identity))
    world.simulator.fault(Fault("updateConversation", "reset"))
    world.engine.reply(identity, "two", key="k-2")
    pass_time(world, times=2)
    assert world.posted(identity) == ["one", "two"]
    reactivated = [e for e in world.engine.history(identity) if e.name == "ConversationReactivated"]
    assert [event.data["how"] for event in reactivated] == ["look-up"]
    assert world.simulator.judge().ok


def test_a_conversation_found_open_in_the_search_but_archived_in_truth_is_recovered(
    world: World,
) -> None:
    there = world.simulator.open_conversation(CUSTOMER, archived=True)
    world.simulator.fault(Fault("findConversations", "seem_active"))
    identity = world.opened("one")
    assert remote(world, identity) == there
    assert world.posted(identity) == ["one"]
    world.replied(identity)
    assert world.simulator.judge().ok


def test_a_changed_carrier_profile_is_noticed_and_logged(
    make_world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    profiles = iter(["carrier-a", "carrier-a", "carrier-b"])
    world = make_world(carrier_lookup=lambda _: next(profiles))
    identity = world.opened("one")
    for text in ("two", "three"):
        world.simulator.archive(remote(world, identity))
        world.text(text)
        world.engine.drain()
    events = [e for e in world.engine.history(identity) if e.name == "ConversationReactivated"]
    assert [event.data["carrier_changed"] for event in events] == [False, True]
    assert world.conversation(identity).carrier_profile == "carrier-b"
    assert [r.msg for r in caplog.records].count("carrier.changed") == 1
    assert world.posted(identity) == ["one", "two", "three"]


# Closed for good


def _closed(world: World) -> tuple[str, str]:
    """A conversation that the platform closed for good: the engine's id and the platform's."""
    identity = world.opened("one")
    old = remote(world, identity)
    world.simulator.close(old)
    return identity, old


def _opened_by(world: World, identity: str) -> list[Any]:
    opened = [e for e in world.engine.history(identity) if e.name == "ConversationOpened"]
    return [(event.data["replaced"], event.data["conversation_id"]) for event in opened]


def test_a_conversation_closed_for_good_is_replaced_and_the_text_goes_once(world: World) -> None:
    identity, old = _closed(world)
    world.text("two")
    world.engine.drain()
    new = remote(world, identity)
    assert _opened_by(world, identity) == [(None, old), (old, new)]
    assert world.posted(identity) == ["two"]
    assert conversations_of(world.simulator, CUSTOMER)[1]["routing"]["queue_id"] == QUEUE
    assert world.simulator.judge().ok


def test_a_conversation_closed_while_archived_is_replaced_too(world: World) -> None:
    identity, old = _closed(world)
    world.engine.archive(identity)
    world.engine.reply(identity, "two", key="k-2")
    world.text("three")
    world.engine.drain()
    assert remote(world, identity) != old
    assert world.posted(identity) == ["two", "three"]
    assert world.simulator.count("updateConversation") == 0


def test_a_successor_that_cannot_be_opened_holds_what_waits(world: World) -> None:
    identity, _ = _closed(world)
    world.simulator.fault(Fault("createConversation", "status", status=403))
    world.text("two")
    world.engine.reply(identity, "three", key="k-3")
    world.engine.drain()
    assert [effect.name for effect in world.engine.dead_letters()] == ["OpenConversation"]
    retry_all(world)
    assert world.posted(identity) == ["two", "three"]


def test_by_the_hold_policy_nothing_is_opened_and_the_text_is_a_dead_letter(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    graph = graph_with(tmp_path, ("closed_conversation: replace", "closed_conversation: hold"))
    world = make_world(graph=graph)
    identity, old = _closed(world)
    world.text("two")
    pass_time(world, times=3)
    (dead,) = world.engine.dead_letters()
    assert (dead.name, dead.reason) == ("PostMessage", "409 conversation_closed")
    assert remote(world, identity) == old
    assert world.simulator.count("createConversation") == 1
    assert "ConversationClosed" not in world.events(identity)


def test_by_the_hold_policy_a_closed_conversation_is_not_reactivated_either(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    graph = graph_with(tmp_path, ("closed_conversation: replace", "closed_conversation: hold"))
    world = make_world(graph=graph)
    identity, _ = _closed(world)
    world.engine.archive(identity)
    world.text("two")
    pass_time(world, times=3)
    assert [effect.name for effect in world.engine.dead_letters()] == ["ReactivateConversation"]
    assert world.simulator.count("createConversation") == 1
    assert world.simulator.count("updateConversation") == 0
