"""The walk-through is done as it says: every edit, every command, a live store under traffic."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from recorded_stores import Traffic, traffic
from versions import deploy
from walkthrough import CHANGING_THE_GRAPH, blocks, edit

from .shell import ROOT, Command, Shell, commands

PAUSED = "sms-fsm rebuild"  # compares the log with the store: both must stand still


class Live:
    """A live store: customers, agents and carriers do not wait for the reader."""

    def __init__(self, going: Traffic) -> None:
        self.going = going
        self.failures: list[BaseException] = []
        self._over = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._go_on)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Traffic goes on in a thread of its own."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing happens meanwhile."""
        with self._turn:
            yield

    def _go_on(self) -> None:
        try:
            while not self._over.wait(0.05):
                with self._turn:
                    self.going.go_on(newcomers=1, busy=4)
        except BaseException as error:
            self.failures.append(error)
            raise


@pytest.fixture
def live(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Live]:
    file = shutil.copy(migrated_sqlite, tmp_path / "live.db")
    with traffic(f"sqlite:///{file}") as going:
        while going.events < 1_200:
            going.go_on(newcomers=12, busy=60)
        yield Live(going)


def test_every_edit_and_every_command_of_the_page(live: Live, tmp_path: Path) -> None:
    world = live.going.world
    shell = Shell(tmp_path, {"SMS_FSM_DATABASE_URL": world.settings.database_url})
    shutil.copy(ROOT / "states.yaml", tmp_path)

    with live.under_way():
        for block in blocks(CHANGING_THE_GRAPH):
            if block.language == "diff":
                asked = edit(block.text)
                changed = asked.applied((tmp_path / asked.old).read_text())
                (tmp_path / asked.new).write_text(changed)
            elif block.language == "console":
                for command in commands(block.text):
                    follow(command, shell, live)

    assert live.failures == []
    assert shell.variables["SMS_FSM_GRAPH"] == "back.yaml"
    assert {one.graph_version for one in world.engine.conversations(limit=1000)} == {3}
    world.engine.drain()
    assert world.simulator.judge().ok


def follow(command: Command, shell: Shell, live: Live) -> None:
    """Do what a line says; a new graph restarts the engine."""
    if command.line == PAUSED:
        with live.at_rest():
            shell.run(command)
        return
    shell.run(command)
    if "SMS_FSM_GRAPH" in command.line:
        with live.at_rest():
            deploy(live.going.world, shell.folder / shell.variables["SMS_FSM_GRAPH"])
