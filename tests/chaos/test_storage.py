"""Disks that are full or broken, stores that take no writes: an error, and nothing half done.

What was acknowledged stays, what was not leaves no trace, and everything goes on once the store is
well again (CONTRACT §5.2). SQLite really meets the errors, at one place after the other.
"""

from __future__ import annotations

import json
import random
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from journeys import number, pass_time
from sqlalchemy import event, select
from sqlalchemy.engine import make_url
from sqlalchemy.pool import Pool
from world import BUSINESS, CUSTOMER, World

from sms_fsm import DeliveryStatus, StoreUnavailable
from sms_fsm.store import open_database
from sms_fsm.store.tables import ConversationRow

from .test_lost_leases import MakeWorld

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)

LONG = "This is long. " * 100
CUTS = 400
TEXTS_AT_ONCE = 5
STEP_BYTES = 2900
"""Smaller than a page, so that writes fail within and between pages."""

Act = Callable[[World, str, int], bool]
"""Does one thing for the n-th time; whether it was acknowledged."""


def _webhook(world: World, _: str, n: int) -> bool:
    data = {"message_id": f"hook-{n}", "from": CUSTOMER, "to": BUSINESS, "text": LONG}
    body = json.dumps({"type": "message.received", "data": data}).encode()
    status = world.engine.webhook(body, {}).status
    assert status in (200, 503)
    return status == 200


def _call(act: Callable[[World, str, int], object]) -> Act:
    def acknowledged(world: World, identity: str, n: int) -> bool:
        try:
            act(world, identity, n)
        except StoreUnavailable:
            return False
        return True

    return acknowledged


ACTS: Mapping[str, Act] = {
    "webhook": _webhook,
    "receive": _call(lambda world, _, n: world.text(LONG, message_id=f"in {n}")),
    "reply": _call(lambda world, identity, n: world.engine.reply(identity, LONG, key=f"r{n}")),
    "initiate": _call(
        lambda world, _, n: world.engine.initiate(
            to=f"+1555777{n:04d}", from_=BUSINESS, text=LONG, key=f"i{n}"
        )
    ),
    "transfer": _call(
        lambda world, identity, n: world.engine.transfer(identity, queue_id="q", key=f"t{n}")
    ),
    "record": _call(
        lambda world, _, n: world.engine.record(DeliveryStatus(f"msg-{n}", "conv-x", "sent"))
    ),
}


def _everything(world: World) -> dict[str, list[str]]:
    """All rows of all tables."""
    with closing(open_database(world.settings.database_url)) as database:
        return database.read(
            lambda connection: {
                table.name: sorted(map(repr, connection.execute(select(table))))
                for table in ConversationRow.metadata.sorted_tables
            }
        )


def _file(world: World) -> str:
    return str(make_url(world.settings.database_url).database)


# Faults: each is made a little weaker from one try to the next


@contextmanager
def _no_file_beyond(world: World, n: int) -> Iterator[None]:
    """The disk takes some bytes of the write-ahead log, and no more: an I/O error."""
    with closing(sqlite3.connect(_file(world))) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n * STEP_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _connections(world: World, configure: Callable[[Any], object]) -> Iterator[None]:
    """New connections, of an engine that knows nothing of it, are configured like this."""

    def listener(connection: Any, _: object) -> None:
        configure(connection)

    world.engine.close()
    event.listen(Pool, "connect", listener)
    try:
        yield
    finally:
        event.remove(Pool, "connect", listener)
        world.engine.close()


def _fill(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def _full(world: World, _: int) -> AbstractContextManager[None]:
    """No page can be added to the file; in those that are there is room for some rows."""
    return _connections(world, _fill)


def _read_only(world: World, n: int) -> AbstractContextManager[None]:
    """The file takes no writes, until the fourth try."""
    mode = "ON" if n < 3 else "OFF"
    return _connections(world, lambda connection: connection.execute(f"PRAGMA query_only = {mode}"))


FAULTS: Mapping[str, Callable[[World, int], AbstractContextManager[None]]] = {
    "I/O error": _no_file_beyond,
    "full": _full,
    "read-only": _read_only,
}


def _check_integrity(world: World) -> None:
    with closing(sqlite3.connect(_file(world))) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@on_sqlite
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("fault", ["I/O error", "read-only"])
def test_what_a_broken_disk_refuses_leaves_no_trace(world: World, fault: str, act: str) -> None:
    """The fault is made a little weaker from one try to the next, until the act is taken."""
    identity = world.opened()
    for n in count():
        before = _everything(world)
        with FAULTS[fault](world, n):
            acknowledged = ACTS[act](world, identity, 7)
        if acknowledged:
            break
        assert _everything(world) == before
    assert n > 0
    assert _everything(world) != before
    _check_integrity(world)


@on_sqlite
@pytest.mark.parametrize("act", ACTS)
def test_what_a_full_disk_refuses_leaves_no_trace(world: World, act: str) -> None:
    identity = world.opened()
    numbers = count()
    with _full(world, 0):
        before = _everything(world)
        while ACTS[act](world, identity, n := next(numbers)):
            before = _everything(world)
        assert _everything(world) == before
    assert ACTS[act](world, identity, n)
    _check_integrity(world)


@on_sqlite
@pytest.mark.parametrize("fault", FAULTS)
def test_effects_go_on_after_a_broken_disk_and_go_once(make_world: MakeWorld, fault: str) -> None:
    world = make_world(lease_seconds=0.3, workers=1)
    refused = 0
    for n in range(8):
        for customer in range(TEXTS_AT_ONCE):
            world.simulator.customer_texts(number(n * 10 + customer), BUSINESS, LONG)
        try:
            with FAULTS[fault](world, n):
                world.engine.drain()
        except StoreUnavailable:
            refused += 1
            time.sleep(0.4)
        world.clock.forward(seconds=61)
    pass_time(world, times=3, seconds=400)
    assert refused > 0
    assert world.simulator.judge().ok
    assert world.engine.dead_letters() == []


# Torn writes


def _cut(log: bytes, draw: random.Random) -> bytes:
    """The log ends anywhere, half the time garbled as well."""
    torn = bytearray(log[: draw.randrange(len(log))])
    if torn and draw.random() < 0.5:
        torn[draw.randrange(len(torn))] ^= 0xFF
    return bytes(torn)


def _begun(log: bytes, draw: random.Random) -> bytes:
    """A transaction that nobody was told of had begun to be written."""
    return log + draw.randbytes(draw.randrange(1, 20_000))


def _recovered(folder: Path, store: bytes, log: bytes) -> tuple[int, int, int]:
    """What a store with this log holds when it is opened after the power failure."""
    file = folder / "torn.db"
    file.write_bytes(store)
    Path(f"{file}-wal").write_bytes(log)
    Path(f"{file}-shm").unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as torn:
        assert torn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return _seqs(torn)


def _seqs(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """How far the log goes, the conversation, and the texts."""
    queries = ("count(*) FROM event_log", "max(seq) FROM conversation", "count(*) FROM message")
    first, second, third = (connection.execute(f"SELECT {q}").fetchone()[0] for q in queries)
    return first, second or 0, third


@on_sqlite
def test_a_torn_log_gives_back_a_past_that_was_committed(world: World, tmp_path: Path) -> None:
    """What SQLite promises: up to some commit all, and with the whole log all that was acknowledged
    (each commit waits until its part of the log is on the disk).
    """
    with closing(sqlite3.connect(_file(world), isolation_level=None)) as holding:
        holding.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        past = [_seqs(holding)]
        for n in range(12):
            world.text(f"text {n}")
            past.append(_seqs(holding))
        store, log = Path(_file(world)).read_bytes(), Path(f"{_file(world)}-wal").read_bytes()
    draw = random.Random(7)
    torn = {_recovered(tmp_path, store, _cut(log, draw)) for _ in range(CUTS)}
    assert torn <= set(past)
    assert len(torn) > len(past) / 2
    assert {_recovered(tmp_path, store, _begun(log, draw)) for _ in range(20)} == {past[-1]}


# Postgres


def _admin(world: World, *statements: str) -> None:
    url = make_url(world.settings.database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as other:
        for statement in statements:
            other.execute(statement)


_CUT = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_NO_SPACE = """CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"""


@contextmanager
def _out_of_space(world: World) -> Iterator[None]:
    """No event and no key can be added, as when the disk is full."""
    tables = ("event_log", "inbox", "parked")
    trigger = "CREATE TRIGGER no_space BEFORE INSERT ON {} EXECUTE FUNCTION no_space()"
    _admin(world, _NO_SPACE, *map(trigger.format, tables))
    try:
        yield
    finally:
        _admin(world, "DROP FUNCTION no_space CASCADE")


@contextmanager
def _on_standby(world: World) -> Iterator[None]:
    """The server takes no writes, as one in recovery."""
    name = make_url(world.settings.database_url).database
    change = f'ALTER DATABASE "{name}" SET default_transaction_read_only = '
    _admin(world, change + "on", _CUT)
    try:
        yield
    finally:
        _admin(world, "SET default_transaction_read_only = off", change + "off", _CUT)


@contextmanager
def _cut_off(world: World, nth: int) -> Iterator[list[int]]:
    """The server cuts the connection right before its n-th statement; gives whether it did."""
    real, passed, cut = psycopg.Cursor.execute, count(1), [0]

    def execute(self: Any, *statement: Any, **options: Any) -> Any:
        if next(passed) == nth:
            cut[0] = nth
            _admin(world, f"SELECT pg_terminate_backend({self.connection.info.backend_pid}, 5000)")
        return real(self, *statement, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute)
        yield cut


@on_postgres
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("fault", [_out_of_space, _on_standby])
def test_what_a_troubled_server_refuses_leaves_no_trace(
    world: World, fault: Callable[[World], AbstractContextManager[None]], act: str
) -> None:
    identity = world.opened()
    before = _everything(world)
    with fault(world):
        assert not ACTS[act](world, identity, 1)
    assert _everything(world) == before
    assert ACTS[act](world, identity, 1)
    assert _everything(world) != before


@on_postgres
@pytest.mark.parametrize("act", ACTS)
def test_a_connection_that_is_cut_anywhere_leaves_all_or_nothing(world: World, act: str) -> None:
    identity = world.opened()
    for n in count(1):
        before = _everything(world)
        with _cut_off(world, n) as cut:
            acknowledged = ACTS[act](world, identity, n)
        assert (_everything(world) != before) == acknowledged
        if not cut[0]:
            break
    assert n > 1


@on_postgres
def test_effects_go_on_after_cut_connections_and_go_once(make_world: MakeWorld) -> None:
    world = make_world(lease_seconds=0.3, workers=1)
    for n in range(1, 25):
        world.simulator.customer_texts(CUSTOMER, BUSINESS, f"text {n}")
        try:
            with _cut_off(world, n):
                world.engine.drain()
        except StoreUnavailable:
            time.sleep(0.4)
        world.clock.forward(seconds=61)
    pass_time(world, times=3, seconds=400)
    assert world.simulator.judge().ok
    assert world.engine.dead_letters() == []


# Both


def test_every_connection_of_an_engine_is_durable(database_url: str, make_world: MakeWorld) -> None:
    """Nothing that was acknowledged is lost with the power: each commit waits for the disk."""
    settings: list[str] = []

    def ask(connection: Any, *_: Any) -> None:
        names = (
            ("synchronous", "journal_mode")
            if isinstance(connection, sqlite3.Connection)
            else ("synchronous_commit", "fsync", "full_page_writes")
        )
        verb = "PRAGMA" if isinstance(connection, sqlite3.Connection) else "SHOW"
        cursor = connection.cursor()
        settings.extend(str(cursor.execute(f"{verb} {n}").fetchone()[0]) for n in names)

    event.listen(Pool, "checkin", ask)
    try:
        world = make_world()
        message = world.replied(world.opened())
        world.says(message, "delivered")
        world.engine.conversations()
        world.simulator.customer_texts(CUSTOMER, BUSINESS, "three")
        world.engine.migrate()
        world.restart()
        world.engine.close()
    finally:
        event.remove(Pool, "checkin", ask)
    wanted = {"2", "wal"} if "sqlite" in database_url else {"on"}
    assert set(settings) == wanted
    assert len(settings) > 8
