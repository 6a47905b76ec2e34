"""Opens a store to look at it. Looking creates no file, no table and no graph version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sms_fsm.cli.failures import CommandError
from sms_fsm.config import Settings
from sms_fsm.store import Database, Queries, open_database, schema_is_current
from sms_fsm.store.urls import is_sqlite, store_url


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The store of the settings, which must be there and up to date.

    Raises:
        CommandError: there is no such file, or its schema is not this version's.
        SettingsError, StoreUnavailable: as the store has it.
    """
    require_file(settings)
    database = open_database(settings.database_url)
    try:
        if not schema_is_current(database):
            raise CommandError(
                "database_url: the schema is missing or not up to date: run `sms-fsm db upgrade`"
            )
        yield database
    finally:
        database.close()


@contextmanager
def reading(database_url: str | None) -> Iterator[Queries]:
    """Questions to the store that an argument, the environment or ``.env`` names.

    Raises:
        CommandError, SettingsError, StoreUnavailable: as `opened` does.
    """
    with opened(Settings.from_env(database_url=database_url)) as database:
        yield Queries(database)


def require_file(settings: Settings) -> None:
    """Refuse an SQLite file that is not there, before SQLite creates it.

    Raises:
        CommandError: there is no such file.
        SettingsError: the URL names no store.
    """
    url = store_url(settings.database_url)
    if is_sqlite(url) and not Path(url.database or "").is_file():
        raise CommandError(f"database_url: no such file: {url.database}")
