"""``make chaos``: the crash loop in full, on both stores, with a report."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .crash_loop import CrashLoop
from .plan import Plan
from .report import Report
from .stores import MakeStore, postgres_store, sqlite_store

_SMALLER = 10
"""The arms beside the main ones have this share of their size."""


def main() -> int:
    """Run all arms and write the report; 0 only if nothing was found."""
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
    parser.add_argument("--usual", type=int, default=20, help="how often each fault strikes")
    parser.add_argument("--ambiguous", type=int, default=200, help="how often each of F3 to F7")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--output", type=Path, default=Path("chaos-report"))
    return parser.parse_args()


def _arms(given: argparse.Namespace) -> Iterator[tuple[MakeStore, Plan]]:
    main = {"usual": given.usual, "ambiguous": given.ambiguous}
    few = {"usual": given.usual // _SMALLER, "ambiguous": given.ambiguous // _SMALLER}
    less, rounds = given.conversations // _SMALLER, given.kills // _SMALLER
    for store in (sqlite_store, postgres_store):
        yield store, Plan(given.seed, given.conversations, given.kills, **main)
        yield store, Plan(given.seed, less, restarts=rounds, **few)
    yield postgres_store, Plan(given.seed, less, database_crashes=rounds, **few)


def _run(make_store: MakeStore, plan: Plan) -> Report:
    print(f"seed {plan.seed}: {plan}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sms-fsm-chaos-") as name:
        folder = Path(name)
        with make_store(folder) as store:
            return CrashLoop(plan, store, folder).run()


def _write(output: Path, reports: list[Report]) -> None:
    output.with_suffix(".md").write_text("\n".join(report.as_markdown() for report in reports))
    figures = [report.as_json() for report in reports]
    output.with_suffix(".json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
