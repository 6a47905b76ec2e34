"""Which stores a database URL may name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from postgres import PostgresServer
from sqlalchemy import text

from sms_fsm.errors import SettingsError
from sms_fsm.store import open_database, upgrade

from .shelf import Shelf


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://host/db",
        "postgres://host/db",
        "postgresql+asyncpg://host/db",
        "postgresql://host:port/db",
        "sqlite+aiosqlite:///store.db",
    ],
)
def test_a_url_of_no_supported_store_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match=r"database_url: expected sqlite:///FILE or postgresql"):
        open_database(url)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "sqlite:///a\0"],
)
def test_sqlite_needs_a_file(url: str) -> None:
    with pytest.raises(SettingsError, match="needs the name of a file"):
        open_database(url)


def test_the_folder_of_a_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="folder of the SQLite file does not exist"):
        open_database(f"sqlite:///{tmp_path}/missing/store.db")


def test_an_error_never_repeats_the_password() -> None:
    with pytest.raises(SettingsError) as refused:
        open_database("mysql://user:s3cret@host/db")
    assert "s3cret" not in str(refused.value)


def test_opening_touches_nothing(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/store.db").close()
    assert list(tmp_path.iterdir()) == []


def test_stores_may_be_schemas_of_one_postgres(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        shelves = []
        for tenant in ("one", "two"):
            options = quote(f"-c search_path={tenant}")
            database = open_database(f"{url}&options={options}")
            database.write(lambda c, tenant=tenant: c.execute(text(f"CREATE SCHEMA {tenant}")))  # type: ignore[misc]  # bound now
            upgrade(database)
            shelves.append(Shelf(database))
        one, two = shelves
        one.create("c-1")
        assert two.queries.conversation("c-1") is None
        two.create("c-1")
        for shelf in shelves:
            shelf.database.close()
