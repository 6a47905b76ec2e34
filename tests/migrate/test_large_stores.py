"""Large stores: killed migrations, and questions that never read the whole table."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, text
from versions import FIRST, SENDING, crowd, deploy, migrations, replayed, version, written
from world import World

from sms_fsm.store import Database, Queries, open_database
from sms_fsm.store.statements import PINNED, PINNED_IDLE

COUNTS = "SELECT state, count(*) FROM conversation WHERE graph_hash = 'x' GROUP BY state"
ROOT = Path(__file__).parents[2]


def test_a_killed_migration_is_finished_by_the_next(world: World, tmp_path: Path) -> None:
    everybody = crowd(world, 1_000)
    graph = written(tmp_path, SENDING)
    deploy(world, graph)
    database = open_database(world.settings.database_url)
    old = version(FIRST).behaviour_hash

    process = _started("migrate", graph, "--database-url", _url(world))
    while _count(database, old) > 800:
        time.sleep(0.001)
        assert process.poll() is None, "it was over before it could be killed"
    process.kill()
    process.wait()

    left = _count(database, old)
    database.close()
    assert 0 < left <= 800
    assert world.engine.migrate().moved == left
    sample = everybody[::97]
    assert all(len(migrations(world, one)) == 1 for one in sample)
    report = replayed(world)
    assert report.clean
    assert report.events == 2_000


def _started(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sms_fsm", *map(str, arguments)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    )


def _url(world: World) -> str:
    return world.settings.database_url.replace("postgresql+psycopg", "postgresql")


def _count(database: Database, behaviour_hash: str) -> int:
    return sum(count for _, count in Queries(database).live(behaviour_hash))


def test_pages_and_counts_read_an_index(world: World) -> None:
    crowd(world, 50)
    database = open_database(world.settings.database_url)
    for asked in (*_statements(database), COUNTS):
        plan = database.write(partial(_plan, asked=asked))
        assert "conversation_by_graph" in plan, plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan
    database.close()


def _statements(database: Database) -> list[str]:
    """Those of a page, with values in place."""
    dialect = "sqlite" if database.is_sqlite else "postgres"
    values = {"graph_hash": "'x'", "state": "''", "id": "''", "limit": "200"}
    found = []
    for statement in (PINNED, PINNED_IDLE):
        sql = getattr(statement, dialect)()
        mark = "?" if database.is_sqlite else "%s"
        asked = sql.text
        for value in sql.parameters(values):
            asked = asked.replace(mark, str(value), 1)
        found.append(asked)
    return found


def _plan(connection: Connection, asked: str) -> str:
    if connection.dialect.name == "sqlite":
        return "\n".join(
            str(row) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {asked}"))
        )
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    return "\n".join(row[0] for row in connection.execute(text(f"EXPLAIN {asked}")))
