"""A store that is locked, full or gone: one error, nothing stored, nothing told of texts."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres import PostgresServer
from sqlalchemy import Connection, event, text

from sms_fsm.errors import StoreUnavailable
from sms_fsm.ports import UnitOfWork
from sms_fsm.store import Database, open_database

from .shelf import CUSTOMER, NOW, Shelf, a_conversation, a_step, a_text, held, opened

_SECRET = "a text that nobody may read"


@pytest.fixture
def sqlite_file(migrated_sqlite: Path, tmp_path: Path) -> Path:
    file = tmp_path / "store.db"
    file.write_bytes(migrated_sqlite.read_bytes())
    return file


@pytest.fixture
def impatient(sqlite_file: Path) -> Iterator[Shelf]:
    """A shelf in a file that waits a fifth of a second for others."""
    with opened(f"sqlite:///{sqlite_file}") as shelf:
        yield shelf


def _store_a_secret(uow: UnitOfWork) -> None:
    uow.append(a_step(held(uow, "c-1"), messages=(a_text(1),)), text=_SECRET)


def _refused(call: Callable[[], object]) -> str:
    """What the refusal says, with all that a traceback shows of it."""
    with pytest.raises(StoreUnavailable) as refused:
        call()
    told = "".join(traceback.format_exception(refused.value))
    assert _SECRET not in told
    assert CUSTOMER not in told
    return str(refused.value)


def _url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


# SQLite


def test_every_connection_to_a_file_is_durable(impatient: Shelf) -> None:
    connections = [impatient.database.engine.connect() for _ in range(12)]
    for connection in connections:
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1)):
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value
        connection.close()


def test_a_file_that_another_program_locks_is_refused_after_a_bounded_wait(
    impatient: Shelf, sqlite_file: Path
) -> None:
    impatient.create()
    with sqlite3.connect(sqlite_file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in _refused(lambda: impatient.repository.write(_store_a_secret))
        assert impatient.queries.history("c-1") == []
        other.execute("ROLLBACK")
    other.close()
    impatient.repository.write(_store_a_secret)
    assert len(impatient.queries.history("c-1")) == 1


def test_a_file_that_is_locked_before_it_is_first_opened_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    with (
        sqlite3.connect(file, isolation_level=None) as other,
        opened(f"sqlite:///{file}") as shelf,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in _refused(shelf.create)
    other.close()


def test_a_thread_that_holds_the_writer_too_long_is_not_waited_for(impatient: Shelf) -> None:
    def write_meanwhile(_: Connection) -> None:
        assert "busy" in _refused(impatient.create)

    impatient.database.write(write_meanwhile)


def test_a_full_disk_is_refused_and_leaves_nothing(impatient: Shelf) -> None:
    impatient.create()
    impatient.database.close()

    @event.listens_for(impatient.database.engine, "connect")
    def fill(connection: sqlite3.Connection, _: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    long = _SECRET * 10_000
    assert "full" in _refused(
        lambda: impatient.happens(messages=(a_text(1),), text=long),
    )
    event.remove(impatient.database.engine, "connect", fill)
    impatient.database.close()
    assert impatient.queries.history("c-1") == []
    impatient.happens(messages=(a_text(1),), text=long)
    assert len(impatient.queries.history("c-1")) == 1


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.write_text("this is no database " * 100)
    with opened(f"sqlite:///{file}") as shelf:
        assert "not a database" in _refused(shelf.create)


# Postgres


def test_a_conversation_that_another_host_holds_too_long_is_refused(
    impatient_postgres: Shelf,
) -> None:
    shelf = impatient_postgres
    shelf.create()
    with psycopg.connect(_url(shelf.database)) as other:
        other.execute("SELECT * FROM conversation FOR UPDATE")
        assert "lock timeout" in _refused(lambda: shelf.repository.write(_store_a_secret))
    shelf.repository.write(_store_a_secret)
    assert len(shelf.queries.history("c-1")) == 1


def test_a_connection_that_breaks_in_the_middle_leaves_nothing(impatient_postgres: Shelf) -> None:
    shelf = impatient_postgres
    shelf.create()

    def cut_off(connection: Connection) -> None:
        connection.execute(text("UPDATE conversation SET state = 'active'"))
        (pid,) = connection.execute(text("SELECT pg_backend_pid()")).one()
        with psycopg.connect(_url(shelf.database), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        connection.execute(text("SELECT 1"))

    _refused(lambda: shelf.database.write(cut_off))
    stored = shelf.queries.conversation("c-1")
    assert stored is not None
    assert stored.state == "new"


def test_a_restarted_postgres_is_found_again_by_the_next_call(impatient_postgres: Shelf) -> None:
    shelf = impatient_postgres
    shelf.create()
    with psycopg.connect(_url(shelf.database), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    shelf.repository.write(_store_a_secret)
    assert len(shelf.queries.history("c-1")) == 1


def test_a_postgres_that_is_gone_is_refused(
    postgres_server: PostgresServer, migrated_postgres: str
) -> None:
    with postgres_server.database(like=migrated_postgres) as url, opened(url) as shelf:
        shelf.create()
    with opened(url) as shelf:
        _refused(lambda: shelf.repository.write(_store_a_secret))
        _refused(lambda: shelf.queries.conversation("c-1"))
        _refused(shelf.claim)


# Both


def test_an_error_of_the_database_tells_nothing_of_what_was_to_be_stored(shelf: Shelf) -> None:
    shelf.create()

    def misspell(connection: Connection) -> None:
        values = {"id": _SECRET, "customer": CUSTOMER}
        connection.execute(text("UPDATE nothing SET id = :id, customer = :customer"), values)

    assert "nothing" in _refused(lambda: shelf.database.write(misspell))


def test_more_callers_than_connections_are_refused_after_a_bounded_wait(database_url: str) -> None:
    database = open_database(database_url, pool_size=1, lock_wait_seconds=0.2)
    taken = [database.engine.connect() for _ in range(65)]
    assert "busy" in _refused(lambda: Shelf(database).queries.conversation("c-1"))
    for connection in taken:
        connection.close()
    assert Shelf(database).queries.conversation("c-1") is None
    database.close()


def test_a_key_that_can_never_be_stored_is_refused_after_a_bounded_wait(
    impatient: Shelf,
) -> None:
    impatient.create("c-1")
    again = a_conversation("c-2")
    assert "busy" in _refused(lambda: impatient.repository.write(lambda u: u.create(again, NOW)))


@pytest.mark.parametrize("way", ["write", "read"])
def test_a_transaction_that_outlives_its_database_leaves_no_connection_behind(
    postgres_server: PostgresServer, migrated_postgres: str, way: str
) -> None:
    with postgres_server.database(like=migrated_postgres) as url:
        database = open_database(url)
        driver: list[Any] = []

        def close_meanwhile(connection: Connection) -> None:
            driver.append(connection.connection.driver_connection)
            connection.execute(text("SELECT 1"))
            database.close()

        getattr(database, way)(close_meanwhile)
        assert driver[0].closed
