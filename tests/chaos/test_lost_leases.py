"""A worker dies or dawdles: whoever takes over never takes an unknown call for one not made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from world import World

from sms_fsm.cxone.transport import Transport
from sms_fsm.simulator import Fault

from .crashing import crash_at

LEASE_SECONDS = 0.5
MakeWorld = Callable[..., World]


def _outlive_the_lease() -> None:
    time.sleep(LEASE_SECONDS * 1.1)


def _finish(world: World) -> None:
    """Let everything come to rest, all waits included."""
    for _ in range(4):
        world.engine.drain()
        world.clock.forward(seconds=120)


def _world_with_reply(make_world: MakeWorld) -> tuple[World, str]:
    world = make_world(lease_seconds=LEASE_SECONDS, workers=1)
    identity = world.opened()
    world.engine.reply(identity, "Hello!", key="k")
    return world, identity


def test_a_lost_creation_is_not_forgotten_when_the_lease_leaves_no_time_to_look_it_up(
    make_world: MakeWorld,
) -> None:
    world = make_world(lease_seconds=LEASE_SECONDS, workers=1)
    world.simulator.fault(Fault("createConversation", "hang"))
    world.simulator.fault(Fault("findConversations", "lag", seconds=30, probability=1))
    world.text()
    world.engine.drain()
    world.clock.forward(seconds=2)
    world.engine.drain()
    world.simulator.clear_faults()
    _finish(world)
    assert len(world.simulator.conversations) == 1


def test_a_crash_after_a_settled_look_up_gets_a_settle_time_of_its_own(
    make_world: MakeWorld,
) -> None:
    world, identity = _world_with_reply(make_world)
    world.simulator.fault(Fault("postMessage", "reset", applied=False))
    world.engine.drain()
    world.clock.forward(seconds=61)
    world.simulator.fault(Fault("postMessage", "late", late_seconds=30))
    with crash_at("call.answered", subject="postMessage"):
        world.engine.drain()
    _outlive_the_lease()
    world.engine.drain()
    assert world.posted(identity) == ["hi"]
    world.clock.forward(seconds=31)
    _finish(world)
    assert world.posted(identity) == ["hi", "Hello!"]
    assert world.simulator.judge().ok


def test_a_lost_post_is_looked_up_before_its_conversation_can_be_replaced(
    make_world: MakeWorld,
) -> None:
    world, identity = _world_with_reply(make_world)
    world.simulator.fault(Fault("postMessage", "status", status=504, applied=True))
    world.simulator.fault(Fault("listMessages", "lag", seconds=30))
    world.engine.drain()
    remote = world.conversation(identity).conversation_id
    assert remote is not None
    world.simulator.archive(remote)
    world.text("anybody there?")
    world.simulator.close(remote)
    _finish(world)
    texts = [m["content"]["text"] for c in world.simulator.conversations
             for m in world.simulator.messages(c["conversationId"])]  # fmt: skip
    assert texts == ["hi", "Hello!", "anybody there?"]
    assert world.simulator.judge().ok


@pytest.mark.parametrize("prepared", ["_prepared", "_session"])
def test_a_worker_paused_on_its_way_to_the_socket_posts_nothing_after_its_lease(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, prepared: str
) -> None:
    world, identity = _world_with_reply(make_world)
    real = getattr(Transport, prepared)

    def pause(*given: Any) -> Any:
        found = real(*given)
        monkeypatch.undo()
        _outlive_the_lease()
        return found

    monkeypatch.setattr(Transport, prepared, pause)
    world.engine.drain()
    assert world.posted(identity) == ["hi"]
    _finish(world)
    assert world.posted(identity) == ["hi", "Hello!"]
