"""Which stores a database URL may name, and what the driver is told about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from sms_fsm.errors import SettingsError

_DRIVERS: Mapping[str, str] = MappingProxyType({"sqlite": "pysqlite", "postgresql": "psycopg"})


def store_url(text: str) -> URL:
    """The URL of an SQLite file or a Postgres database.

    Raises:
        SettingsError: it is neither, or the folder of the file does not exist.
    """
    try:
        url = make_url(text)
        supported = _DRIVERS.get(url.get_backend_name()) == url.get_driver_name()
    except (SQLAlchemyError, ValueError):
        supported = False
    if not supported:
        raise SettingsError("database_url: expected sqlite:///FILE or postgresql://HOST/DATABASE")
    if is_sqlite(url):
        _check_file(url.database or "")
    return url


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _check_file(name: str) -> None:
    # Each connection would get a memory of its own.
    if not name or "\0" in name or name.startswith((":", "file:")):
        raise SettingsError("database_url: SQLite needs the name of a file: sqlite:///FILE")
    if not Path(name).absolute().parent.is_dir():
        raise SettingsError("database_url: the folder of the SQLite file does not exist")


def connect_arguments(url: URL, lock_wait_seconds: float) -> dict[str, Any]:
    """What the driver needs so that waiting for others is bounded."""
    if is_sqlite(url):
        return {"timeout": lock_wait_seconds, "check_same_thread": False}
    # The URL may name a schema, by the option search_path.
    theirs = url.normalized_query.get("options", ())
    ours = (f"-c lock_timeout={int(lock_wait_seconds * 1000)}", "-c timezone=UTC")
    return {
        "connect_timeout": max(2, int(lock_wait_seconds)),
        "options": " ".join((*theirs, *ours)),
    }
