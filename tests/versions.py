"""Versions of the shipped graph, as `docs/changing-the-graph.md` makes them, and worlds on them."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

from walkthrough import graphs
from world import World

from sms_fsm import InboundMessage
from sms_fsm.graph import StateGraph, load_graph_text
from sms_fsm.log import LoggedEvent
from sms_fsm.registry import Registry
from sms_fsm.replay import ReplayReport, verify

FIRST, SENDING, BACK = "states.yaml", "sending.yaml", "back.yaml"


@cache
def version(name: str) -> StateGraph:
    """A version of the walk-through."""
    return load_graph_text(graphs()[name], Registry().names, name)


def written(folder: Path, name: str, *edits: tuple[str, str]) -> Path:
    """A version as a file, edited."""
    text = graphs()[name]
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def deploy(world: World, graph: Path) -> None:
    """Restart the engine on another graph."""
    world.settings = world.settings.model_copy(update={"graph": graph})
    world.restart()


def crowd(world: World, size: int) -> list[str]:
    """Many conversations that have just begun, taken in together; gives the engine's ids."""
    intake = world.engine._intake
    facts = [
        intake.message(
            InboundMessage(message_id=f"m{n}", from_=f"+1555{n:07d}", to="+18885550100", text="hi")
        )
        for n in range(2_000_000, 2_000_000 + size)
    ]
    return [receipt.conversation for receipt in intake.take(facts)]  # type: ignore[union-attr,misc]  # texts are never refused


def migrations(world: World, identity: str) -> list[LoggedEvent]:
    """The moves of one conversation, oldest first."""
    return [e for e in world.engine.history(identity) if e.name == "ConversationMigrated"]


def replayed(world: World, graph: StateGraph | None = None) -> ReplayReport:
    """The whole log, judged again."""
    file = io.StringIO()
    world.engine.export_log(file)
    return verify(file.getvalue().splitlines(), graph=graph)


MakeWorld = Callable[..., World]
