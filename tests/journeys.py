"""What acceptance tests do to a world, and how they look at the platform from outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from world import World

from sms_fsm.simulator import Simulator
from sms_fsm.simulator.desk import Reply
from sms_fsm.simulator.wire import Call

SHIPPED_GRAPH = Path(__file__).parents[1] / "states.yaml"


def number(n: int) -> str:
    """The n-th of many customers."""
    return f"+1555123{n:04d}"


def remote(world: World, identity: str) -> str:
    """The platform's id of an open conversation."""
    found = world.conversation(identity).conversation_id
    assert found is not None
    return found


def pass_time(world: World, *, times: int, seconds: float = 60) -> None:
    """Carry out what is due, again and again while the clock goes on."""
    for _ in range(times):
        world.engine.drain()
        world.clock.forward(seconds=seconds)
    world.engine.drain()


def retry_all(world: World) -> None:
    """Give every dead letter another go until none is left."""
    while dead := world.engine.dead_letters():
        for effect in dead:
            world.engine.retry(effect.id)
        pass_time(world, times=2)


def conversations_of(simulator: Simulator, customer: str) -> list[dict[str, Any]]:
    """All conversations of a customer as the platform shows them, oldest first."""
    return [c for c in simulator.conversations if _customer(c).get("address") == customer]


def marks(conversation: dict[str, Any]) -> dict[str, Any]:
    """Properties of the customer participant."""
    found: dict[str, Any] = _customer(conversation).get("properties", {})
    return found


def _customer(conversation: dict[str, Any]) -> dict[str, Any]:
    return next(p for p in conversation["participants"] if p["role"] == "customer")


def texts(simulator: Simulator, conversation_id: str) -> list[str]:
    """Texts of one of the platform's conversations, oldest first."""
    return [message["content"]["text"] for message in simulator.messages(conversation_id)]


def operations(simulator: Simulator, *wanted: str) -> list[str]:
    """The calls so far, in order; of all operations or of those that are wanted."""
    calls = [name for name, _ in simulator.requests if name != "issueToken"]
    return [name for name in calls if not wanted or name in wanted]


def graph_with(folder: Path, *changes: tuple[str, str]) -> Path:
    """The shipped graph with some of its text changed, as a version of its own."""
    document = SHIPPED_GRAPH.read_text()
    for old, new in (("version: 1\n", "version: 2\n"), *changes):
        assert document.count(old) == 1, old
        document = document.replace(old, new)
    path = folder / "states.yaml"
    path.write_text(document)
    return path


def in_order(wanted: Sequence[str], found: Iterable[str]) -> bool:
    """Whether all that is wanted is found, once each, in this order, among others."""
    return [one for one in found if one in wanted] == list(wanted)


def recorded_bodies(simulator: Simulator) -> list[tuple[str, Any]]:
    """From now on: operation and JSON body of every call that has one, oldest first."""
    server = simulator._server
    assert server is not None
    handle, bodies = server.handle, []

    def record(call: Call) -> Reply:
        if call.operation != "issueToken" and call.body:
            bodies.append((call.operation, json.loads(call.body)))
        return handle(call)

    server.handle = record
    return bodies
