"""The crash loop in small, in every test run; ``make chaos`` runs it in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from .crash_loop import CrashLoop
from .nemesis import DATABASE_CRASHED, KILLED, PAUSED, RESTARTED
from .plan import Plan
from .stores import MakeStore, postgres_store, sqlite_store


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("make_store", "database_crashes"), [(sqlite_store, 0), (postgres_store, 2)]
)
def test_killed_processes_lose_nothing_and_send_nothing_twice(
    tmp_path: Path, make_store: MakeStore, database_crashes: int
) -> None:
    plan = Plan(
        seed=20260301,
        conversations=60,
        kills=14,
        pauses=1,
        restarts=2,
        database_crashes=database_crashes,
        ambiguous=4,
        workers=4,
        window=25,
    )
    with make_store(tmp_path) as store:
        report = CrashLoop(plan, store, tmp_path).run()
    told = report.as_markdown()
    assert report.problems == {}, told
    assert report.uncovered == {}, told
    done = (report.acts.get(name, 0) for name in (KILLED, PAUSED, RESTARTED, DATABASE_CRASHED))
    assert tuple(done) == (14, 1, 2, database_crashes), told
