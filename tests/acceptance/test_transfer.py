"""CONTRACT §5.8: a hand-over is a routing update; participants and conversation stay."""

from __future__ import annotations

from typing import Any

import pytest
from journeys import conversations_of, operations, pass_time, recorded_bodies, remote
from world import CUSTOMER, QUEUE, World

from sms_fsm.simulator import Fault


def _there(world: World) -> dict[str, Any]:
    (conversation,) = conversations_of(world.simulator, CUSTOMER)
    return conversation


def test_a_hand_over_changes_the_routing_and_nothing_else(world: World) -> None:
    identity = world.opened()
    world.simulator.assign(remote(world, identity), "agent-1")
    before, participant = _there(world), world.conversation(identity).participant_id
    world.engine.transfer(identity, key="k", queue_id="queue_billing")
    world.engine.drain()
    after = _there(world)
    assert after["participants"] == before["participants"]
    assert after["conversationId"] == before["conversationId"] == remote(world, identity)
    assert after["routing"]["queue_id"] == "queue_billing"
    assert world.conversation(identity).participant_id == participant == "agent-1"
    touching = {"replaceParticipants", "addParticipant", "listParticipants"}
    assert touching.isdisjoint(operations(world.simulator))


def test_the_update_says_what_was_asked_for_and_is_warm_by_default(world: World) -> None:
    identity = world.opened()
    bodies = recorded_bodies(world.simulator)
    world.engine.transfer(identity, key="k-1", queue_id="queue_billing")
    world.engine.transfer(
        identity,
        key="k-2",
        agent_id="a-7",
        skills=["billing", "vip"],
        priority=5,
        transfer_type="cold",
    )
    world.engine.drain()
    assert bodies == [
        (
            "updateRouting",
            {"strategy": "agent", "queue_id": "queue_billing", "transfer_type": "warm"},
        ),
        (
            "updateRouting",
            {
                "strategy": "agent",
                "agent_id": "a-7",
                "skills": ["billing", "vip"],
                "priority": 5,
                "transfer_type": "cold",
            },
        ),
    ]


def test_texts_before_and_after_a_hand_over_are_in_one_conversation(world: World) -> None:
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k-2")
    world.engine.transfer(identity, key="k-3", queue_id="queue_billing")
    world.text("three")
    world.engine.reply(identity, "four", key="k-4")
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three", "four"]
    assert len(world.simulator.conversations) == 1


def test_the_agent_who_takes_over_signs_the_next_text(world: World) -> None:
    identity = world.opened()
    world.simulator.assign(remote(world, identity), "agent-1")
    world.replied(identity, "first")
    world.engine.transfer(identity, key="k", agent_id="a-2")
    world.engine.drain()
    world.simulator.assign(remote(world, identity), "agent-2", agent_id="a-2")
    world.replied(identity, "second")
    world.replied(identity, "third", participant_id="agent-9", on_behalf_of="agent-id-9921")
    _, first, second, third = world.simulator.messages(remote(world, identity))
    assert [m["participant_id"] for m in (first, second, third)] == [
        "agent-1",
        "agent-2",
        "agent-9",
    ]
    assert third["metadata"]["sent_on_behalf_of"] == "agent-id-9921"


@pytest.mark.parametrize(
    "trouble",
    [
        Fault("updateRouting", "reset", times=3),
        Fault("updateRouting", "status", status=503, applied=1, times=3),
        Fault("updateRouting", "garbage", times=3),
    ],
    ids=["reset", "503", "garbage"],
)
def test_a_hand_over_whose_answer_was_lost_is_simply_repeated(world: World, trouble: Fault) -> None:
    identity = world.opened()
    world.simulator.fault(trouble)
    world.engine.transfer(identity, key="k", queue_id="queue_billing")
    pass_time(world, times=4)
    assert _there(world)["routing"]["queue_id"] == "queue_billing"
    assert world.conversation(identity).routing.queue_id == "queue_billing"
    assert "AnswerLost" not in world.events(identity)
    assert world.events(identity).count("RoutingUpdated") == 2


def test_the_last_of_several_hand_overs_rules(world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("updateRouting", "status", status=429, retry_after=5, nth=1))
    for n in range(4):
        world.engine.transfer(identity, key=f"k-{n}", queue_id=f"queue_{n}")
    pass_time(world, times=3)
    assert _there(world)["routing"]["queue_id"] == "queue_3"
    assert _there(world)["conversationId"] == remote(world, identity)


def test_a_hand_over_before_the_first_routing_has_the_last_word(world: World) -> None:
    identity = str(world.text().conversation)
    world.engine.transfer(identity, key="k", queue_id="queue_billing")
    world.engine.drain()
    assert _there(world)["routing"]["queue_id"] == "queue_billing" != QUEUE
    assert world.state(identity) == "routed"
