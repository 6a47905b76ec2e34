"""The schema and its way up, by Alembic. Alembic is imported only when there is work for it."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from sms_fsm.errors import SettingsError
from sms_fsm.store.database import Database

HEAD = "0002"
"""The newest revision; a test keeps it in step with `versions/`."""

# Alembic keeps the migration that runs in a module: two at once would use each other's connection.
_one_at_a_time = threading.Lock()


def schema_is_current(database: Database) -> bool:
    """Whether the store's schema is the one that this code was written for."""
    return database.read(_revision) == HEAD


def upgrade(database: Database) -> None:
    """Bring the schema up to date. Many processes may do so at once: one works, others wait.

    Raises:
        SettingsError: the schema is of a newer release than this one.
        StoreUnavailable: the store cannot be reached.
    """
    if not schema_is_current(database):
        database.write(_upgrade_locked)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade_locked(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - costs 100 ms that a current store need not pay
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7333467)"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _one_at_a_time:
            command.upgrade(config, "head")
    except CommandError:
        raise SettingsError("database_url: the schema is of a newer release than this") from None
