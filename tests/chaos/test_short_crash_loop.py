"""The crash loop in small, in every test run; ``make chaos`` runs it in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from .crash_loop import CrashLoop
from .fault_matrix import MATRIX
from .plan import KILLED, RESTARTED, Plan
from .report import Report
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


def test_a_report_tells_what_struck_and_what_was_done_too_seldom() -> None:
    plan = Plan(seed=1, conversations=1, kills=2, restarts=1, usual=1, ambiguous=3)
    struck = {**dict.fromkeys(MATRIX, 1), "F3": 3, "F4": 2, "F5": 3, "F6": 3, "F7": 3}
    report = Report(
        store="sqlite",
        plan=plan,
        seconds=1.0,
        drained_seconds=61.0,
        conversations=1,
        texts=1,
        calls={},
        struck=struck,
        acts={KILLED: 1, RESTARTED: 1},
        killed={},
        improper_ends=0,
        dead_letters=0,
        findings={"out of order": ("c-1",), "unexpected posts": ()},
        recoveries_seconds=(0.5, 5.5),
    )
    assert report.uncovered == {"F4": 2, KILLED: 1}
    assert report.problems == {"out of order": ("c-1",), "not drained in time": ("61.0",)}
    assert "3.00 s after Postgres was back, 5.5 s at most" in report.as_markdown()
