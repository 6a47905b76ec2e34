"""A shelf on each store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sms_fsm.store import Database, open_database

from .shelf import Shelf


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)
