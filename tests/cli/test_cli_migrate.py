"""migrate: live conversations move to a new version of their graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from world import World

from sms_fsm.graph import default_graph, default_graph_text
from sms_fsm.registry import Registry
from sms_fsm.store import Queries, open_database

from .conftest import Run

STATES = tuple(default_graph(Registry().names).states)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


def next_version(path: Path, states: tuple[str, ...]) -> Path:
    """The packaged graph as version 2, with an identical map for these states."""
    mapped = "".join(f"      {name}: {name}\n" for name in states)
    migration = f"\nmigrate:\n  - from: 1\n    states:\n{mapped}"
    text = default_graph_text().replace("version: 1", "version: 2", 1)
    text = text.replace("after: 72h", "after: 48h")
    path.write_text(text + migration, encoding="utf-8")
    return path


def test_all_live_conversations_move(
    run: Run, make_world: Callable[..., World], database_url: str, tmp_path: Path
) -> None:
    world = make_world()
    identity = world.opened()
    graph = next_version(tmp_path / "next.yaml", STATES)

    first = run("migrate", graph, "--database-url", database_url)
    second = run("migrate", graph, "--database-url", database_url)

    assert (first.code, second.code) == (0, 0)
    assert ["1", "routed", "routed", "1"] in [line.split() for line in first.out.splitlines()]
    assert first.out.endswith("1 conversations moved to version 2\n")
    assert second.out == "0 conversations moved to version 2\n"
    assert world.conversation(identity).graph_version == 2
    told = run("show", identity, "--database-url", database_url).out
    assert "it moved from graph version 1 to 2" in told


def test_a_dry_run_shows_who_would_move_and_moves_nobody(
    run: Run, make_world: Callable[..., World], database_url: str, tmp_path: Path
) -> None:
    world = make_world()
    identity = world.opened()
    graph = next_version(tmp_path / "next.yaml", STATES)

    ran = run("migrate", graph, "--dry-run", "--database-url", database_url)

    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()[1:]] == [["1", "routed", "routed", "1"]]
    assert world.conversation(identity).graph_version == 1
    with closing(open_database(database_url)) as database:
        assert len(Queries(database).graphs()) == 1


def test_a_script_gets_plan_and_result(
    run: Run, make_world: Callable[..., World], database_url: str, tmp_path: Path
) -> None:
    make_world().opened()
    graph = next_version(tmp_path / "next.yaml", STATES)
    arguments = ("migrate", graph, "--database-url", database_url, "--format", "json")
    planned = {"version": 1, "state": "routed", "becomes": "routed", "conversations": 1}

    dry, wet = (json.loads(run(*arguments, *more).out) for more in (["--dry-run"], []))

    assert dry == {"version": 2, "planned": [planned]}
    assert wet == {"version": 2, "planned": [planned], "moved": 1, "left": 0}


def test_an_unmapped_state_moves_nobody_and_is_named(
    run: Run, make_world: Callable[..., World], database_url: str, tmp_path: Path
) -> None:
    world = make_world()
    identity = world.opened()
    graph = next_version(tmp_path / "next.yaml", STATES[:-1])

    ran = run("migrate", graph, "--database-url", database_url)

    assert (ran.code, ran.out) == (1, "")
    assert STATES[-1] in ran.err
    assert world.conversation(identity).graph_version == 1
