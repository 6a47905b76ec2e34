"""The schema: what migrations make is what the tables say, whoever gets there first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres import PostgresServer
from sqlalchemy import Connection, text

import sms_fsm
from sms_fsm.errors import SettingsError
from sms_fsm.store import Database, migrations, open_database, schema_is_current, upgrade
from sms_fsm.store.tables import ConversationRow

from .openers import PROCESSES
from .shelf import Shelf, at_once


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store without any schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield url


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = open_database(empty_url)
    yield database
    database.close()


def _differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, ConversationRow.metadata))


def test_migrations_make_what_the_tables_say(empty: Database) -> None:
    upgrade(empty)
    assert empty.read(_differences) == []


def test_a_missing_column_would_be_found(empty: Database) -> None:
    upgrade(empty)
    empty.write(lambda c: c.execute(text("ALTER TABLE inbox DROP COLUMN digest")))
    assert empty.read(_differences) != []


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [migrations.HEAD]


def test_an_empty_store_becomes_current(empty: Database) -> None:
    assert not schema_is_current(empty)
    upgrade(empty)
    assert schema_is_current(empty)


def test_upgrading_again_keeps_what_is_stored(empty: Database) -> None:
    upgrade(empty)
    Shelf(empty).create()
    upgrade(empty)
    assert Shelf(empty).queries.conversation("c-1") is not None


def test_a_schema_of_a_newer_release_is_refused_and_left_alone(empty: Database) -> None:
    upgrade(empty)
    empty.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    assert not schema_is_current(empty)
    with pytest.raises(SettingsError, match="newer release"):
        upgrade(empty)
    left = empty.read(lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar())
    assert left == "9999"


def test_engines_of_one_process_upgrade_one_store_at_once(empty_url: str) -> None:
    databases = [open_database(empty_url) for _ in range(6)]
    at_once(partial(upgrade, database) for database in databases)
    assert all(schema_is_current(database) for database in databases)
    for database in databases:
        database.close()


def test_engines_of_one_process_upgrade_stores_of_their_own_at_once(tmp_path: Path) -> None:
    databases = [open_database(f"sqlite:///{tmp_path}/{number}.db") for number in range(6)]
    at_once(partial(upgrade, database) for database in databases)
    assert all(schema_is_current(database) for database in databases)
    for database in databases:
        database.close()


def test_eight_processes_open_one_new_store_at_once(empty: Database, empty_url: str) -> None:
    opened = subprocess.run(
        [sys.executable, "-m", "store.openers", empty_url],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(sms_fsm.__file__).parents[1])},
    )
    assert opened.stderr == ""
    assert opened.returncode == 0
    stored = Shelf(empty).queries.conversations(None, None, 100)
    assert [conversation.id for conversation in stored] == [f"c-{n}" for n in range(PROCESSES)]
