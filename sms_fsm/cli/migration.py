"""``migrate``: live conversations move to a new version of their graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.options import DatabaseUrl, Format, OutputFormat
from sms_fsm.cli.progress import filling
from sms_fsm.cli.stores import opened
from sms_fsm.cli.terminal import json_document, line, note, stdout, table
from sms_fsm.cli.timeline import state
from sms_fsm.config import Settings
from sms_fsm.engine import migrator
from sms_fsm.graph import StateGraph, load_graph_file
from sms_fsm.migrate import Leg, Migrated
from sms_fsm.registry import Registry


def migrate(
    graph: Annotated[
        Path, typer.Argument(metavar="GRAPH", help="The new version.", show_default=False)
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show who would move, and change nothing.")
    ] = False,
    database_url: DatabaseUrl = None,
    format_: OutputFormat = Format.TEXT,
) -> None:
    """Move live conversations to a new version of their graph, while everybody works on.

    Each move is a logged event, by the new graph's total map of the old states. What a crash
    cuts short goes on when this is run again. Exit code 1 if some are left: engines that still
    begin conversations on an older version.
    """
    registry = Registry()
    new = load_graph_file(graph, registry.names)
    with opened(Settings.from_env(database_url=database_url)) as database:
        moving = migrator(database, new, registry)
        legs = moving.plan()
        if format_ is Format.TEXT:
            _print_plan(legs, new)
        with filling("moving") as progress:
            result = None if dry_run else moving.run(progress)
    if format_ is Format.JSON:
        json_document(_document(new, legs, result))
    elif result is not None:
        line(f"{result.moved:,} conversations moved to version {new.version}")
    if result is not None and result.left:
        said = f"{result.left:,} conversations run on another version still"
        raise CommandError(f"{said}: deploy version {new.version} everywhere, then run this again")


def _document(new: StateGraph, legs: Sequence[Leg], result: Migrated | None) -> dict[str, Any]:
    planned = [
        {"version": leg.old.version, "state": old, "becomes": leg.states[old], "conversations": n}
        for leg in legs
        for old, n in sorted(leg.live.items())
    ]
    return {"version": new.version, "planned": planned} | (asdict(result) if result else {})


def _print_plan(legs: Sequence[Leg], new: StateGraph) -> None:
    if not legs:
        note(f"no conversation runs on another version of {new.id}")
        return
    drawn = table("from version", "state", "becomes", "conversations")
    drawn.columns[-1].justify = "right"
    for leg in legs:
        for old, count in sorted(leg.live.items()):
            drawn.add_row(
                Text(str(leg.old.version)), state(old), state(leg.states[old]), f"{count:,}"
            )
    stdout().print(drawn)
