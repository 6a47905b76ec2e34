"""CONTRACT §5.12: a host's guard that raises stops nothing else and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from journeys import graph_with
from world import BUSINESS, World

from sms_fsm import Conversation, Registry
from sms_fsm.events import Event


def test_a_guard_that_raises_delays_its_own_conversation_only(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    broken = True

    def fragile(conversation: Conversation, _: Event) -> bool:
        if broken and conversation.customer == "+15551234567":
            raise LookupError
        return True

    registry = Registry()
    registry.guard("fragile", fragile)
    graph = graph_with(
        tmp_path,
        (
            "    on: RoutingUpdated\n    to: routed",
            "    on: RoutingUpdated\n    when: [fragile]\n    to: routed",
        ),
    )
    world = make_world(registry=registry, graph=graph)
    hurt = world.opened()
    other = world.text(from_="+15551234568", to=BUSINESS).conversation
    world.engine.drain()
    assert other is not None
    assert (world.state(hurt), world.state(other)) == ("active", "routed")
    broken = False
    world.clock.forward(seconds=300)
    world.engine.drain()
    assert world.state(hurt) == "routed"
    assert world.posted(hurt) == ["hi"]
