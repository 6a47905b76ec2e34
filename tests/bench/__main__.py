"""``make bench``: all figures, printed as tables and kept as JSON. Under ten minutes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from postgres import PostgresServer, own_server

from bench.carrying_out import carried_out, claimed
from bench.goals import Goal, goals_table, table
from bench.growing import grown
from bench.replaying import replaying
from bench.rounds import Figures
from bench.starting import started
from bench.stores import PostgresDatabases, SqliteFiles, Stores
from bench.taking_in import CUSTOMERS, RAW, measured

_ROOM = "/var/tmp"  # noqa: S108 - a folder of our own is made in it; on the disk, unlike /tmp at times


def main() -> None:
    """Measure, print, and write the JSON file."""
    options = _options()
    goals: list[Goal] = []
    figures: dict[str, list[Figures]] = {}
    print(described := _machine())
    for kind in options.stores:
        with _stores(kind) as stores:
            for title, found, reached in _parts(stores, options):
                figures[f"{stores.name}: {title}"] = list(found)
                goals += reached
                print(f"\n## {stores.name}: {title}\n\n{_figures_table(found)}", flush=True)
    if options.replayed:
        with tempfile.TemporaryDirectory(dir=_ROOM) as folder:
            found, reached = replaying(Path(folder), rounds=3, conversations=options.replayed)
        figures["replay"] = list(found)
        goals += reached
        print(f"\n## Replay\n\n{_figures_table(found)}", flush=True)
    print(f"\n## Goals\n\n{goals_table(goals)}")
    report = {
        "machine": described,
        "goals": [{**asdict(goal), "verdict": goal.verdict} for goal in goals],
        "figures": {title: [asdict(f) for f in found] for title, found in figures.items()},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--effects", type=int, default=1_000_000)
    parser.add_argument("--replayed", type=int, default=40_000, help="conversations")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    return parser.parse_args()


def _parts(
    stores: Stores, options: argparse.Namespace
) -> Iterator[tuple[str, Sequence[Figures], Sequence[Goal]]]:
    rounds = options.rounds
    yield "taking in", *measured(stores, rounds=rounds, peers=options.peers)
    yield "carrying out", *carried_out(stores, rounds=max(3, rounds // 3))
    yield "claiming", *claimed(stores, rounds=max(3, rounds // 2), effects=options.effects)
    sizes = {"conversations": options.conversations, "events": options.events}
    yield "growing", *grown(stores, rounds=max(3, rounds // 2), **sizes)
    yield "starting", (), started(stores, rounds=max(3, rounds // 2))


@contextmanager
def _stores(kind: str) -> Iterator[Stores]:
    with ExitStack() as stack:
        if kind == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=_ROOM))
            yield SqliteFiles(Path(folder), CUSTOMERS)
        else:
            server = PostgresServer(stack.enter_context(own_server(room=_ROOM)))
            yield PostgresDatabases(server, stack, CUSTOMERS)


def _figures_table(found: Sequence[Figures]) -> str:
    base = next((figure for figure in found if figure.name == RAW), found[0] if found else None)
    rows: list[tuple[object, ...]] = [
        (f.name, f.rate, min(f.rates), max(f.rates), f.ratio_to(base), f.cpu_microseconds)
        for f in found
        if base is not None
    ]
    return table(rows, "who", "median /s", "least", "most", "ratio", "CPU µs each")


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.platform()}, {os.cpu_count()} cores, load {load}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
