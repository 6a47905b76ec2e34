"""The first event of a new process on an existing store."""

from __future__ import annotations

import statistics
import subprocess
import sys

from bench.goals import Goal
from bench.stores import Stores

_FIRST = """
import sys, time
{before}
from bench.contenders.engine import OneCaller
from bench.texts import texts
arriving = texts(1, 1000)
began, cpu = time.perf_counter(), time.process_time()
OneCaller(sys.argv[1]).take(arriving)
print((time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000)
"""
_DRIVERS = {"Postgres": "import psycopg"}  # the other one comes with Python


def started(stores: Stores, *, rounds: int) -> list[Goal]:
    """Milliseconds from the import to the first event's commit: on the clock, and of the CPU."""
    url = stores.filled()
    at = f"{stores.name}: first event after import"
    goals = _goals(at, url, rounds)
    if stores.name in _DRIVERS:
        driver = _DRIVERS[stores.name]
        goals += _goals(f"{at}, and after `{driver}`", url, rounds, before=driver)
    return goals


def _goals(at: str, url: str, rounds: int, before: str = "") -> list[Goal]:
    runs = [_milliseconds(url, before) for _ in range(rounds)]
    clock, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
    return [
        Goal(f"{at}, ms", clock, 50, 20, at_most=True),
        Goal(f"{at}, ms of the CPU", cpu, 50, 20, at_most=True),
    ]


def _milliseconds(url: str, before: str) -> tuple[float, float]:
    run = [sys.executable, "-c", _FIRST.format(before=before), url]
    clock, cpu = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    return float(clock), float(cpu)
