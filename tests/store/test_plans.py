"""What workers ask of a full store is answered from indexes: nothing is scanned or sorted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from bench.crowds import with_conversations, with_effects
from bench.stores import connected

from sms_fsm.store import Database, lanes, open_database, outbox, statements
from sms_fsm.store.driver import Statement

from .shelf import NOW, Shelf, an_effect

ROWS = 20_000
TOMORROW = NOW + timedelta(days=1)

_VALUES: dict[str, Any] = {
    "now": NOW.isoformat(),
    "real": NOW.isoformat(),
    "until": NOW.isoformat(),
    "seconds": 60,
    "limit": 8,
    "id": "x17",
    "wanted": ["x17", "x18"],
    "wanted0": ["+15552000017"],
    "wanted1": ["+18885550100"],
    "wanted2": [""],
    "key": "x17",
    "fence": 1,
    "conversation": "c-1",
    "message": 1,
    "about": 1,
    "name0": "PollDelivery",
    "name1": "SendFallback",
}

_ON_BOTH = {
    "timers that are due": outbox._DUE_TIMERS,
    "what an effect is about": statements.SUBJECT,
    "the lock before an outcome": statements.LOCK_EFFECT,
    "the lease before an outcome": lanes._LEASE,
    "giving back what was not begun": outbox._RELEASE,
    "an effect that is done": statements.FINISH,
    "the next of a lane": lanes._ADVANCE,
    "the first of a lane": lanes._FIRST_POSITION,
    "a head that makes way": lanes._MAKE_WAY,
    "conversations by id": statements.LOCK_ALL,
    "conversations by pair": statements.HOLDERS_OF_PAIRS,
    "conversations by the platform's id": statements.HOLDERS,
    "the leases before outcomes": statements.LEASES,
    "cancelling by name": lanes._withdraw(2, of_message=False),
    "cancelling by message": lanes._withdraw(2, of_message=True),
}
_ON_SQLITE = {
    **_ON_BOTH,
    "the claim": outbox._CLAIM_ON_SQLITE,
    "whether anything is due": outbox._IS_DUE,
}
_ON_POSTGRES = {
    **_ON_BOTH,
    "the claim": outbox._CLAIM_ON_POSTGRES,
}


def _fill(database: Database, url: str) -> None:
    shelf = Shelf(database)
    shelf.create()
    timers = (("ConversationIdle", TOMORROW),)
    shelf.happens(an_effect("PostMessage"), conversation_id="conv-1", timers=timers)
    with_effects(url, ROWS)
    with_conversations(url, ROWS, 1)


@pytest.fixture(scope="module")
def sqlite(migrated_sqlite: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("full") / "store.db"
    file.write_bytes(migrated_sqlite.read_bytes())
    database = open_database(f"sqlite:///{file}")
    _fill(database, f"sqlite:///{file}")
    database.close()
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def postgres(postgres_server: Any, migrated_postgres: str) -> Iterator[str]:
    with postgres_server.database(like=migrated_postgres) as url:
        database = open_database(url)
        _fill(database, url)
        database.close()
        yield url


@pytest.mark.parametrize("asked", _ON_SQLITE)
def test_sqlite_searches_indexes(sqlite: str, asked: str) -> None:
    sql = _ON_SQLITE[asked].sqlite()
    values = sql.parameters({**_VALUES, "wanted": '[["x17", "x18", ""]]'})
    with connected(sqlite) as connection:
        explained = connection.execute(f"EXPLAIN QUERY PLAN {sql.text}", values)
        steps = [row[3] for row in explained]

    whole = [step for step in steps if step.startswith(("SCAN outbox", "SCAN conversation"))]
    assert whole == [], steps
    assert [step for step in steps if "TEMP B-TREE" in step] == [], steps


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("asked", _ON_POSTGRES)
def test_postgres_searches_indexes_whether_it_knows_the_values_or_not(
    postgres: str, asked: str, mode: str
) -> None:
    steps = _postgres_plan(postgres, _ON_POSTGRES[asked], mode)

    whole = [s for s in steps if "Seq Scan on outbox" in s or "Seq Scan on conversation" in s]
    assert whole == [], "\n".join(steps)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_lost_leases_are_found_among_those_that_stand(postgres: str, mode: str) -> None:
    steps = _postgres_plan(postgres, outbox._CLAIM_ON_POSTGRES, mode)

    assert [step for step in steps if "Index Cond: (lease_until <" in step] != [], steps


def _postgres_plan(url: str, statement: Statement, mode: str) -> list[str]:
    sql = statement.postgres()
    values = sql.parameters(_VALUES)
    text = sql.text
    for number in range(len(values)):
        text = text.replace("%s", f"${number + 1}", 1)
    with psycopg.connect(url) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(f"SET plan_cache_mode = {mode}")
        cursor.execute(f"PREPARE asked AS {text}")
        marks = ", ".join(["%s"] * len(values))
        cursor.execute(f"EXPLAIN EXECUTE asked({marks})", values)
        return [row[0] for row in cursor]
