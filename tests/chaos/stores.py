"""The stores that runs crash on: an SQLite file, or a Postgres that can be killed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
from postgres import PostgresServer, own_server, server_account

from sms_fsm.store import open_database, upgrade

_RECOVERY_SECONDS = 30.0


class SqliteStore:
    """A file; it cannot be killed."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/store.db"


class PostgresStore:
    """A database on a server of the run's own."""

    name = "postgres"

    def __init__(self, server: str, url: str) -> None:
        self.url = url
        self._server = server
        self._data = Path(parse_qs(urlsplit(server).query)["host"][0], "data")

    def crash(self, down_seconds: float) -> None:
        """Immediate shutdown, as by a crash; back after so many seconds and its recovery."""
        os.kill(self._pid, signal.SIGQUIT)
        self._await(running=False)
        time.sleep(down_seconds)
        self._start()
        self._await(running=True)

    def _start(self) -> None:
        """As it was started before; it is nobody's child, as a server should be."""
        command = shlex.split((self._data / "postmaster.opts").read_text())
        subprocess.run(
            ["sh", "-c", '"$@" </dev/null >>log 2>&1 &', "sh", *command],
            check=True,
            start_new_session=True,
            cwd=self._data.parent,
            **server_account(),
        )

    @property
    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _await(self, *, running: bool) -> None:
        until = time.monotonic() + _RECOVERY_SECONDS
        while time.monotonic() < until:
            if self._answers() is running:
                return
            time.sleep(0.05)
        raise RuntimeError(f"Postgres did not {'come back' if running else 'stop'}")

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self._server, connect_timeout=2):
            return True
        return False


Store = SqliteStore | PostgresStore
MakeStore = Callable[[Path], AbstractContextManager[Store]]
"""Makes a store with its schema, in this folder where it is a file."""


@contextmanager
def sqlite_store(folder: Path) -> Iterator[Store]:
    store = SqliteStore(folder)
    _migrate(store.url)
    yield store


@contextmanager
def postgres_store(_: Path) -> Iterator[Store]:
    with own_server() as server, PostgresServer(server).database() as url:
        _migrate(url)
        yield PostgresStore(server, url)


def _migrate(url: str) -> None:
    database = open_database(url)
    upgrade(database)
    database.close()
