"""A new version of the graph: new conversations run on it, old ones stay where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from versions import BACK, FIRST, SENDING, deploy, version, written
from world import World

from sms_fsm import Engine, GraphError

OTHER = "+15557654321"


def test_conversations_stay_on_the_version_that_they_began_on(world: World, tmp_path: Path) -> None:
    old = world.opened()
    deploy(world, written(tmp_path, SENDING))

    new = world.text(from_=OTHER).conversation
    world.engine.drain()

    assert new is not None
    assert world.conversation(old).graph_version == 1
    assert world.conversation(new).graph_version == 2


def test_each_conversation_is_decided_on_by_its_own_version(world: World, tmp_path: Path) -> None:
    old = world.opened()
    deploy(world, written(tmp_path, SENDING))
    new = world.text(from_=OTHER).conversation
    world.engine.drain()

    receipts = [world.engine.reply(str(one), "Hello!", key="k") for one in (old, new)]

    assert [receipt.state for receipt in receipts] == ["routed", "sending"]
    world.engine.drain()
    assert [world.state(str(one)) for one in (old, new)] == ["awaiting_delivery"] * 2


def test_an_old_version_is_found_in_the_store_alone(world: World, tmp_path: Path) -> None:
    path = written(tmp_path, SENDING)
    deploy(world, path)
    identity = world.opened()
    path.unlink()
    deploy(world, written(tmp_path, BACK))

    assert world.engine.reply(identity, "Hello!", key="k").state == "sending"


def test_a_version_with_another_behaviour_is_refused(world: World, tmp_path: Path) -> None:
    changed = written(tmp_path, FIRST, ("after: 72h", "after: 48h"))

    with pytest.raises(GraphError) as refused:
        Engine.from_settings(world.settings.model_copy(update={"graph": changed}))

    assert refused.value.code == "version-reused"
    assert "raise `version`" in str(refused.value)
    assert str(changed) in str(refused.value)


def test_a_version_may_change_what_does_not_decide(world: World, tmp_path: Path) -> None:
    identity = world.opened()
    titled = written(tmp_path, FIRST, ("title: with a queue or an agent", "title: with somebody"))

    deploy(world, titled)

    assert world.engine.reply(identity, "Hello!", key="k").state == "routed"


def test_going_back_is_the_old_behaviour_under_a_higher_version() -> None:
    assert version(BACK).version > version(SENDING).version > version(FIRST).version
    assert version(BACK).behaviour_hash == version(FIRST).behaviour_hash
