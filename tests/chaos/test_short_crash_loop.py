"""The crash loop in small: `make chaos` runs it, and the loop in full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .crash_loop import CrashLoop
from .plan import Plan
from .stores import MakeStore, postgres_store, sqlite_store


@pytest.mark.skipif(
    os.environ.get("SMS_FSM_CHAOS") != "full",
    reason="wants a machine of its own: make chaos runs it",
)
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
        usual=0,
        ambiguous=4,
        restarts=2,
        database_crashes=database_crashes,
        workers=4,
        window=25,
    )
    with make_store(tmp_path) as store:
        report = CrashLoop(plan, store, tmp_path).run()
    assert report.problems == {}, report.as_markdown()
    assert sum(report.deaths.values()) == plan.kills
    assert report.uncovered == {}
