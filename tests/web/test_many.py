"""A hundred thousand conversations: every question of page and figures walks an index and stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres import PostgresServer
from sqlalchemy import Connection, event, insert, text

from sms_fsm.store import Board, Database, Queries, open_database, upgrade
from sms_fsm.store.statements import CONVERSATION, OUTBOX

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATES = ("new", "active", "routed", "awaiting_delivery", "delivered", "failed", "archived")
MANY = 100_000

Ask = Callable[[Board, Queries], object]
QUESTIONS: dict[str, Ask] = {
    "stuck first": lambda board, _: board.by_age(STATES[:4], None, 51),
    "the page behind": lambda board, _: board.by_age(STATES, (NOW, "c0000500"), 51),
    "of a customer": lambda board, _: board.of_number(_number(7), None, 51),
    "of the business": lambda board, _: board.of_number("+18885550100", "c0050000", 51),
    "of CXone": lambda board, _: board.holder("conv-7"),
    "counts by state": lambda board, _: board.counts(STATES, 10_000),
    "counts by graph": lambda board, _: board.running_on(["hash"], 10_000),
    "one": lambda board, _: board.conversation("c0000007"),
    "its events": lambda board, _: board.events("c0000007", 9, 50),
    "its effects": lambda board, _: board.unsettled("c0000007", 50),
    "dead letters": lambda board, _: board.dead("c0000007:1:0", 51),
    "the backlog": lambda board, _: board.backlog(NOW, 10_000),
    "the API's page": lambda _, queries: queries.conversations("routed", "c0000500", 51),
}
PARTIAL = ("outbox_due", "outbox_leased", "outbox_dead", "conversation_by_timer")
"""Indexes that hold only what waits: walking along one is no scan of the table."""

SMALL = ("carrier_count", "graph_version", "alembic_version")


def _number(n: int) -> str:
    return f"+1555{n:07d}"


def _conversation(n: int) -> dict[str, Any]:
    return {
        "id": f"c{n:07d}",
        "customer": _number(n),
        "business": "+18885550100",
        "isolation": "",
        "profile": {"name": None, "preferred_language": None},
        "conversation_id": f"conv-{n}",
        "state": STATES[n % len(STATES)],
        "graph_version": 1,
        "graph_hash": "hash",
        "seq": 1,
        "data": {
            "conversation_id": f"conv-{n}",
            "routing": {},
            "participant_id": None,
            "carrier_profile": None,
            "outstanding": 0,
            "spell": 0,
            "spell_failed": 0,
            "opening": False,
            "contacted_at": None,
            "timers": {},
        },
        "log_hash": "",
        "timer_due_at": NOW + timedelta(seconds=n) if n % 2 else None,
        "state_since": NOW - timedelta(seconds=n),
        "created_at": NOW,
    }


def _effect(n: int) -> dict[str, Any]:
    return {
        "id": f"c{n:07d}:1:0",
        "conversation": f"c{n:07d}",
        "name": "PostMessage",
        "state": ("done", "done", "pending", "dead")[n % 4] if n < 8_000 else "done",
        "data": {},
        "timer": False,
        "due_at": NOW + timedelta(seconds=n - 4_000),
        "token": 0,
        "attempts": 1,
        "failures": 0,
        "looked_up": False,
        "interrupted": False,
    }


def _fill(database: Database, number: int) -> None:
    def work(connection: Connection) -> None:
        for start in range(0, number, 5_000):
            numbers = range(start, min(start + 5_000, number))
            connection.execute(insert(CONVERSATION), [_conversation(n) for n in numbers])
            connection.execute(insert(OUTBOX), [_effect(n) for n in numbers])

    database.write(work)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """SQLite with a hundred thousand conversations."""
    folder: Path = tmp_path_factory.mktemp("many")
    database = open_database(f"sqlite:///{folder}/store.db")
    upgrade(database)
    _fill(database, MANY)
    yield database
    database.close()


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[Database]:
    with postgres_server.database(like=migrated_postgres) as url:
        database = open_database(url)
        _fill(database, 2_000)
        yield database
        database.close()


def _statements(database: Database, ask: Ask) -> list[tuple[str, Any]]:
    """What a question asks of the database."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        ask(Board(database), Queries(database))
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return asked


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_scans_or_sorts_a_table_on_sqlite(many: Database, question: str) -> None:
    for statement, parameters in _statements(many, QUESTIONS[question]):
        with many.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in plan]
        scans = [step for step in steps if step.startswith("SCAN") and "(subquery" not in step]
        whole = [scan for scan in scans if not scan.endswith(PARTIAL) and " anon" not in scan]
        assert whole == [], steps
        # The outbox keeps what is done: only one conversation's part, or what waits, is looked at.
        outbox = [step for step in steps if " outbox " in step and "conversation=?" not in step]
        assert [step for step in outbox if not any(name in step for name in PARTIAL)] == [], steps


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_finds_an_index_on_postgres(postgres: Database, question: str) -> None:
    for statement, parameters in _statements(postgres, QUESTIONS[question]):
        with postgres.engine.connect() as connection:
            # A small table is scanned although there is an index: ask whether there is one.
            connection.execute(text("SET enable_seqscan = off"))
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            steps = [row[0] for row in plan]
        scanned = [step for step in steps if "Seq Scan" in step]
        assert [s for s in scanned if not any(name in s for name in SMALL)] == [], steps


def test_a_scrape_and_a_first_page_take_a_fraction_of_a_second(many: Database) -> None:
    board = Board(many)
    began = time.perf_counter()
    board.backlog(NOW)
    board.counts(STATES, 10_000)
    board.by_age(STATES, None, 51)
    assert time.perf_counter() - began < 1


def test_counts_end_at_their_bound(many: Database) -> None:
    assert Board(many).counts(["routed", "no such state"], 100) == {
        "routed": 100,
        "no such state": 0,
    }
