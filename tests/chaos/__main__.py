"""``make chaos``: the crash loop in full, on both stores, with a report."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .crash_loop import CrashLoop
from .plan import Plan
from .report import Report
from .stores import MakeStore, postgres_store, sqlite_store

# One of these acts, or one strike of each such fault, for so many kills or conversations.
_KILLS_PER_PAUSE = 25
_KILLS_PER_RESTART = 5
_KILLS_PER_DATABASE_CRASH = 5
_CONVERSATIONS_PER_USUAL = 250
_CONVERSATIONS_PER_AMBIGUOUS = 25


def main() -> int:
    """Run on both stores and write the report; 0 only if nothing was found or left out."""
    given = _arguments()
    reports: list[Report] = []
    for make_store, plan in _arms(given):
        reports.append(_run(make_store, plan))
        print(reports[-1].as_markdown(), flush=True)
        _write(given.output, reports)
    return int(any(report.problems or report.uncovered for report in reports))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--conversations", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument(
        "--store", choices=["sqlite", "postgres"], help="default: one, then the other"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--output", type=Path, default=Path("chaos-report"))
    return parser.parse_args()


def _arms(given: argparse.Namespace) -> Iterator[tuple[MakeStore, Plan]]:
    plan = Plan(
        given.seed,
        given.conversations,
        given.kills,
        pauses=given.kills // _KILLS_PER_PAUSE,
        restarts=given.kills // _KILLS_PER_RESTART,
        usual=given.conversations // _CONVERSATIONS_PER_USUAL,
        ambiguous=given.conversations // _CONVERSATIONS_PER_AMBIGUOUS,
    )
    if given.store != "postgres":
        yield sqlite_store, plan
    if given.store != "sqlite":
        crashes = given.kills // _KILLS_PER_DATABASE_CRASH
        yield postgres_store, replace(plan, database_crashes=crashes)


def _run(make_store: MakeStore, plan: Plan) -> Report:
    print(f"seed {plan.seed}: {plan}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="sms-fsm-chaos-"))
    with make_store(folder) as store:
        report = CrashLoop(plan, store, folder).run()
    if report.problems:
        print(f"kept: the ledger and the log of events in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return report


def _write(output: Path, reports: list[Report]) -> None:
    output.with_suffix(".md").write_text("\n".join(report.as_markdown() for report in reports))
    figures = [report.as_json() for report in reports]
    output.with_suffix(".json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
