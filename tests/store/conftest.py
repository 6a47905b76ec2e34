"""A shelf on each store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres import PostgresServer

from sms_fsm.store import Database, open_database

from .shelf import Shelf, opened


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest.fixture
def impatient_postgres(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[Shelf]:
    with (
        postgres_server.database(like=migrated_postgres) as url,
        opened(url) as shelf,
    ):
        yield shelf
