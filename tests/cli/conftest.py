"""Runs commands in this process, in an empty folder and without anybody's settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from world import CUSTOMER, MovingClock, World

from sms_fsm.cli.app import app
from sms_fsm.simulator import Simulator

HOSTILE = "hi\x1b[31m\nsms-fsm: all is well"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no ``.env`` of the machine reaches a command."""
    for name in [name for name in os.environ if name.startswith("SMS_FSM_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Run:
    """Runs a command line; an exception that is no exit fails the test."""

    def invoke(*arguments: object, **environment: str) -> Ran:
        result = CliRunner().invoke(app, [str(one) for one in arguments], env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return invoke


@dataclass(frozen=True, slots=True)
class Stored:
    """A store with two conversations: one delivered, with a hostile text, and one just begun."""

    url: str
    first: str
    second: str


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Read-only for all tests."""
    clock = MovingClock()
    simulator = Simulator(clock=clock)
    url = f"sqlite:///{tmp_path_factory.mktemp('stored')}/store.db"
    with simulator.serve():
        world = World(url, simulator.url, simulator, clock)
        first = world.opened(HOSTILE)
        world.says(world.replied(first, "Hello!", key="ticket/1"), "delivered", "DELIVRD")
        clock.forward(seconds=1)
        second = world.text("hello?", from_="+15557654321").conversation
        world.close()
    return Stored(url, first, str(second))


@pytest.fixture
def platform(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A simulator that the environment names as CXone."""
    given: dict[str, Any] = {
        "SMS_FSM_CXONE_URL": simulator.url,
        "SMS_FSM_CLIENT_ID": "demo-client",
        "SMS_FSM_CLIENT_SECRET": "demo-secret",
        "SMS_FSM_QUEUE_ID": "queue_sms_support_01",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return simulator


def digits_of(number: str = CUSTOMER) -> str:
    """A number as it must not appear."""
    return number.removeprefix("+")
