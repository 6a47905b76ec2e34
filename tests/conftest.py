"""Fixtures that every test may use: both stores, the simulator, a moved clock, a whole world."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from postgres import PostgresServer
from world import MovingClock, World

from sms_fsm.simulator import Simulator
from sms_fsm.store import open_database, upgrade


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real Postgres: the one that is named, else an installed one, else one from a package."""
    with PostgresServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with the schema that nobody uses: copying it is cheaper than migrating."""
    with postgres_server.database() as url:
        _migrate(url)
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    file = tmp_path_factory.mktemp("migrated") / "store.db"
    _migrate(f"sqlite:///{file}")
    return file


def _migrate(url: str) -> None:
    database = open_database(url)
    upgrade(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh store with its schema, on SQLite and on Postgres."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "store.db")
        yield f"sqlite:///{file}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(like=request.getfixturevalue("migrated_postgres")) as url:
        yield url


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def simulator(clock: MovingClock) -> Iterator[Simulator]:
    simulator = Simulator(clock=clock)
    with simulator.serve():
        yield simulator


@pytest.fixture
def make_world(
    database_url: str, simulator: Simulator, clock: MovingClock
) -> Iterator[Callable[..., World]]:
    """Makes worlds with settings and host functions of the test's choice."""
    with ExitStack() as stack:

        def make(**options: Any) -> World:
            world = World(database_url, simulator.url, simulator, clock, **options)
            stack.callback(world.close)
            return world

        yield make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
