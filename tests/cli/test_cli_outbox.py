"""dead-letters, retry and carriers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from world import MovingClock, World

from sms_fsm.simulator import Fault, Simulator

from .conftest import Run, Stored


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def dead(
    make_world: Callable[..., World], platform: Simulator, database_url: str
) -> tuple[World, str]:
    """A world with one text that CXone refused, and the id of its effect."""
    world = make_world(carrier_lookup=lambda _: "carrier-a")
    conversation = world.opened()
    platform.fault(Fault("postMessage", "status", status=400, code="invalid_request"))
    world.replied(conversation)
    (letter,) = world.engine.dead_letters()
    assert database_url == world.settings.database_url
    return world, letter.id


def test_a_dead_letter_is_shown_with_its_reason(
    run: Run, database_url: str, dead: tuple[World, str]
) -> None:
    ran = run("dead-letters", "--database-url", database_url)
    (found,) = json.loads(
        run("dead-letters", "--format", "json", "--database-url", database_url).out
    )

    row = ran.out.splitlines()[1]
    assert row.split()[:3] == [dead[1], "PostMessage", "1"]
    assert "400" in row
    assert (found["id"], found["state"]) == (dead[1], "dead")


def test_a_retried_dead_letter_is_carried_out(
    run: Run, database_url: str, dead: tuple[World, str]
) -> None:
    world, letter = dead

    ran = run("retry", letter, "--database-url", database_url)

    assert (ran.code, ran.out) == (0, f"{letter} goes again\n")
    # The command's clock is the real one, the world's stands in the past.
    world.clock.forward(days=3650)
    world.engine.drain()
    assert world.engine.dead_letters() == []


def test_without_dead_letters_the_output_is_empty(run: Run, stored: Stored) -> None:
    assert run("dead-letters", "--database-url", stored.url).out == ""
    assert run("dead-letters", "--format", "json", "--database-url", stored.url).out == "[]\n"


def test_retry_makes_no_store(run: Run, tmp_path: Path, platform: Simulator) -> None:
    ran = run("retry", "x:1:0", "--database-url", f"sqlite:///{tmp_path}/missing.db")

    assert ran.code == 1
    assert "no such file" in ran.err


def test_carriers_are_judged_by_what_they_said(
    run: Run, database_url: str, make_world: Callable[..., World], clock: MovingClock
) -> None:
    world = make_world(carrier_lookup=lambda _: "carrier-a")
    conversation = world.opened()
    message = world.replied(conversation)
    for _ in range(3):
        world.says(message, "delivered")

    row = run("carriers", "--database-url", database_url).out.splitlines()[1]
    (found,) = json.loads(run("carriers", "--format", "json", "--database-url", database_url).out)

    assert row.split() == ["carrier-a", "1", "0", "0.0%", "2"]
    assert found == {"profile": "carrier-a", "duplicates": 2, "delivered": 1, "failed": 0}
