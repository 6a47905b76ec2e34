"""Somebody else holds the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Nobody else can write meanwhile."""
    if database_url.startswith("sqlite"):
        file = database_url.removeprefix("sqlite:///")
        with _closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE conversation, event_log, inbox IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def _closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    finally:
        connection.close()
