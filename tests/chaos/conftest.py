"""The stage of sabotaged journeys, on both stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from postgres import PostgresServer

from sms_fsm.simulator import Simulator
from sms_fsm.store import open_database, upgrade

from .nursery import Nursery
from .sabotaged import Stage
from .site import Site


@pytest.fixture(params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    simulator = Simulator(ledger_path=tmp_path / "ledger")
    server: PostgresServer | None = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
    with simulator.serve() as url:
        site = Site(
            folder=str(tmp_path),
            database_url="",
            cxone_url=url,
            webhook_secret="whsec_" + "c2VjcmV0" * 4,
            token_key=Fernet.generate_key().decode(),
            threads=2,
            conversations=0,
            seed=0,
            lease_seconds=1.0,
            settle_seconds=1.0,
            call_seconds=0.7,
        )
        with Nursery(site) as nursery:
            yield Stage(
                simulator,
                nursery,
                site,
                server.url if server else None,
                _postgres(request, server) if server else _sqlite,
            )


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    url = f"sqlite:///{folder}/store.db"
    database = open_database(url)
    upgrade(database)
    database.close()
    yield url


def _postgres(
    request: pytest.FixtureRequest, server: PostgresServer
) -> Callable[[Path], AbstractContextManager[str]]:
    template: str = request.getfixturevalue("migrated_postgres")
    return lambda _: server.database(like=template)
