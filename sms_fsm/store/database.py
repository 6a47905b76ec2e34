"""Connections and transactions. The one place where database errors become ours."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from sms_fsm.errors import SettingsError, StoreUnavailable
from sms_fsm.failpoints import reach
from sms_fsm.store.connections import Connected, Connections, CutOff, is_gone
from sms_fsm.store.driver import Driver, Looker
from sms_fsm.store.urls import connect_arguments, is_sqlite, store_url

LOCK_WAIT_SECONDS = 10.0
"""How long a call waits, in real time, for others to be done with what it needs."""

_KEPT_WRITERS = 2
_KEPT_READERS = 4

_SERIALIZATION_FAILURE = "40001"
_DEADLOCK_DETECTED = "40P01"
_MET_ANOTHER = (_SERIALIZATION_FAILURE, _DEADLOCK_DETECTED)

T = TypeVar("T")
C = TypeVar("C", bound=Connected)


class Conflict(Exception):
    """Two transactions met; the whole transaction is run again."""


class Database:
    """One SQLite file or Postgres database, for any number of threads.

    Args:
        engine: a SQLAlchemy engine made by `open_database`.
        lock_wait_seconds: bound on waiting for a busy store.
        beside: another `Database` of this process on the same store.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
        beside: Database | None = None,
    ) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._lock_wait_seconds = lock_wait_seconds
        self._writers = Connections(self.engine.connect, is_gone=is_gone, most=_KEPT_WRITERS)
        self._readers = Connections(self._reader, is_gone=is_gone, most=_KEPT_READERS)
        self._fast_writers = Connections(self._driver, is_gone=_is_cut_off, most=_KEPT_WRITERS)
        self._fast_readers = Connections(self._looker, is_gone=_is_cut_off, most=_KEPT_READERS)
        # SQLite has one writer: threads that queue here do not poll the file lock.
        self.writer: threading.Lock = beside.writer if beside else threading.Lock()
        self._closed = False
        event.listen(engine, "checkin", self._let_go)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction and commit; leaving by an exception rolls back.

        Transactions that met another one are run again, for a bounded real time.

        Raises:
            StoreUnavailable: the store is locked, full or gone; nothing was stored.
        """
        return self._written(self._writers, work)

    def transact(self, work: Callable[[Driver], T]) -> T:
        """The same on the driver's own cursor: the hot path."""
        return self._written(self._fast_writers, work)

    def _written(self, connections: Connections[C], work: Callable[[C], T]) -> T:
        try:
            return self._write_once(connections, work)
        except Conflict:
            return self._write_again(connections, work)

    def _write_again(self, connections: Connections[C], work: Callable[[C], T]) -> T:
        retrying = Retrying(
            retry=retry_if_exception_type(Conflict),
            stop=stop_after_delay(self._lock_wait_seconds),
            wait=wait_random_exponential(multiplier=0.005, max=0.2),
            reraise=True,
        )
        try:
            result: T = retrying(self._write_once, connections, work)
        except Conflict:
            raise StoreUnavailable("the store is busy: call again") from None
        return result

    def _write_once(self, connections: Connections[C], work: Callable[[C], T]) -> T:
        with (
            self._single_writer(),
            translated(self.engine),
            connections.transaction() as connection,
        ):
            result = work(connection)
            reach("commit.before")
        reach("commit.after")
        return result

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on one consistent view; it must not write.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """
        return self._was_read(self._readers, work)

    def look(self, work: Callable[[Driver], T]) -> T:
        """Run one statement that reads on the driver's own cursor: no transaction is needed."""
        return self._was_read(self._fast_readers, work)

    def _was_read(self, connections: Connections[C], work: Callable[[C], T]) -> T:
        try:
            return self._read_once(connections, work)
        except Conflict:
            pass
        try:
            return self._read_once(connections, work)
        except Conflict:
            raise StoreUnavailable("the store is busy: call again") from None

    def _read_once(self, connections: Connections[C], work: Callable[[C], T]) -> T:
        with translated(self.engine), connections.transaction() as connection:
            return work(connection)

    def _driver(self) -> Driver:
        return Driver(self.engine.connect())

    def _looker(self) -> Looker:
        isolation = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        return Looker(self.engine.connect().execution_options(**isolation))

    def _reader(self) -> Connection:
        isolation = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        return self.engine.connect().execution_options(read_only=True, **isolation)

    @contextmanager
    def _single_writer(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self.writer.acquire(timeout=self._lock_wait_seconds):
            raise StoreUnavailable("the store is busy: call again")
        try:
            yield
        finally:
            self.writer.release()

    def close(self) -> None:
        """Give the connections back; those at work are closed when their transactions are over."""
        self._closed = True
        for connections in (
            self._writers,
            self._readers,
            self._fast_writers,
            self._fast_readers,
        ):
            connections.close()
        self.engine.dispose()

    def _let_go(self, _: object, record: ConnectionPoolEntry) -> None:
        """The pool of a closed database would keep what comes back until it is collected."""
        if self._closed:
            record.close()


def open_database(
    url: str,
    *,
    pool_size: int = 8,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    beside: Database | None = None,
) -> Database:
    """Connect to the store; nothing is read or written yet.

    ``beside`` is another `Database` on the same store: their writers take turns.

    Raises:
        SettingsError: the URL cannot be used, or the driver is not installed.
    """
    parsed = store_url(url)
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": 64,
        "pool_timeout": lock_wait_seconds,
        "pool_pre_ping": not is_sqlite(parsed),
        "hide_parameters": True,
        "connect_args": connect_arguments(parsed, lock_wait_seconds),
    }
    try:
        engine = create_engine(parsed, **options)
    except ImportError:
        hint = "pip install 'sms-fsm[postgres]'"
        raise SettingsError(f"database_url: the Postgres driver is missing: {hint}") from None
    if is_sqlite(parsed):
        _prepare_sqlite(engine, lock_wait_seconds)
    return Database(engine, lock_wait_seconds=lock_wait_seconds, beside=beside)


def _prepare_sqlite(engine: Engine, lock_wait_seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        # The driver must not open transactions by itself: it would run a SELECT before the
        # first write outside of them, and two threads would read the same state.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(lock_wait_seconds * 1000)}")
        _switch_to_wal(connection, lock_wait_seconds)
        # NORMAL may lose acknowledged commits when the power fails.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("read_only", False)
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN" if reading else "BEGIN IMMEDIATE")


def _switch_to_wal(connection: sqlite3.Connection, lock_wait_seconds: float) -> None:
    """SQLite does not wait here by itself when several processes open one new file."""
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    retrying = Retrying(
        retry=retry_if_exception_type(sqlite3.OperationalError),
        stop=stop_after_delay(lock_wait_seconds),
        wait=wait_random_exponential(multiplier=0.005, max=0.1),
        reraise=True,
    )
    retrying(connection.execute, "PRAGMA journal_mode = WAL")


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Database errors as `Conflict` (run it again) or `StoreUnavailable` (it cannot be).

    The driver's own errors count too: the hot path runs on its cursor.
    """
    driver = engine.dialect.loaded_dbapi
    try:
        yield
    except (DBAPIError, driver.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        if _is_conflict(original, driver):
            raise Conflict from None
        raise StoreUnavailable(_short(original)) from None
    except CutOff:
        raise Conflict from None
    except PoolTimeout:
        raise StoreUnavailable("the store is busy: call again") from None


def _is_cut_off(driver: Driver) -> bool:
    return driver.gone


def _is_conflict(error: BaseException | None, driver: Any) -> bool:
    """Another transaction was faster, or stood in the way."""
    state = getattr(error, "sqlstate", None)
    return isinstance(error, driver.IntegrityError) or state in _MET_ANOTHER


def _short(error: BaseException | None) -> str:
    """The driver's first line without statement and parameters, which may hold texts."""
    lines = str(error or "unknown").strip().splitlines()
    return f"the store is unavailable: {lines[0] if lines else type(error).__name__}"
