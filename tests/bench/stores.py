"""Stores with customers in them, on the disk and on a Postgres, and what is in them afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
from postgres import PostgresServer

from bench.contenders.engine import Arrays
from bench.texts import Text, customer
from sms_fsm.store import open_database, upgrade

TABLES = ("inbox", "conversation", "message", "event_log", "outbox")

# As if each conversation had been opened and its first text posted, a moment ago.
_OPEN = """
UPDATE conversation SET state = 'routed', lane_head = NULL, conversation_id = 'conv-' || id, data =
replace(replace(replace(data, '"opening":true', '"opening":false'),
'"conversation_id":null', '"conversation_id":"conv-' || id || '"'), '"contacted_at":null', '{0}')
"""


class Stores(Protocol):
    """Where contenders get their stores from."""

    name: str

    def filled(self) -> str:
        """The URL of a new store with the schema and customers."""
        ...


class SqliteFiles:
    """Files in one folder, which must be on the disk whose writes count."""

    name = "SQLite"

    def __init__(self, folder: Path, customers: int) -> None:
        self._folder = folder
        self._numbers = count()
        self._filled = self._folder / "filled.db"
        _fill(f"sqlite:///{self._filled}", customers)

    def filled(self) -> str:
        file = self._folder / f"{next(self._numbers)}.db"
        with closing(sqlite3.connect(self._filled)) as source, closing(sqlite3.connect(file)) as to:
            source.backup(to)
        return f"sqlite:///{file}"


class PostgresDatabases:
    """Databases on one server with its durable defaults; they go with ``stack``."""

    name = "Postgres"

    def __init__(self, server: PostgresServer, stack: ExitStack, customers: int) -> None:
        self._server, self._stack = server, stack
        self._filled = stack.enter_context(server.database())
        _fill(self._filled, customers)

    def filled(self) -> str:
        return self._stack.enter_context(self._server.database(like=self._filled))


def _fill(url: str, customers: int) -> None:
    database = open_database(url)
    upgrade(database)
    database.close()
    arrays = Arrays(url)
    arrays.take([Text(f"first-{number}", customer(number)) for number in range(customers)])
    arrays.close()
    with connected(url) as connection:
        connection.execute("DELETE FROM outbox")
        moment = datetime.now(UTC).isoformat(timespec="microseconds")
        connection.execute(_OPEN.format(f'"contacted_at":"{moment}"'))
        connection.commit()


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """The driver's own connection."""
    if url.startswith("sqlite"):
        opened: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        opened = psycopg.connect(url)
    with closing(opened):
        yield opened


def rows(url: str) -> Mapping[str, int]:
    """How many rows each table has, and the events that the conversations count."""
    with connected(url) as connection:
        counted = {
            table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - names from here
            for table in TABLES
        }
        events = connection.execute("SELECT sum(seq) FROM conversation").fetchone()[0]
    return {**counted, "events counted by conversations": int(events)}
