"""``migrate``: live conversations move to a new version of their graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.options import DatabaseUrl
from sms_fsm.cli.progress import filling
from sms_fsm.cli.stores import opened
from sms_fsm.cli.terminal import line, note, stdout, table
from sms_fsm.cli.timeline import state
from sms_fsm.config import Settings
from sms_fsm.engine import migrator
from sms_fsm.graph import load_graph_file
from sms_fsm.migrate import Leg
from sms_fsm.registry import Registry


def migrate(
    graph: Annotated[
        Path, typer.Argument(metavar="GRAPH", help="The new version.", show_default=False)
    ],
    *,
    database_url: DatabaseUrl = None,
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
        _print_plan(moving.plan(), new.version)
        with filling("moving") as progress:
            result = moving.run(progress)
    line(f"{result.moved:,} conversations moved to version {new.version}")
    if result.left:
        said = f"{result.left:,} conversations run on an older version still"
        raise CommandError(f"{said}: deploy version {new.version} everywhere, then run this again")


def _print_plan(legs: Sequence[Leg], version: int) -> None:
    if not legs:
        note(f"no conversation runs on a version before {version}")
        return
    drawn = table("from version", "state", "becomes", "conversations")
    drawn.columns[-1].justify = "right"
    for leg in legs:
        for old, count in sorted(leg.live.items()):
            drawn.add_row(
                Text(str(leg.old.version)), state(old), state(leg.states[old]), f"{count:,}"
            )
    stdout().print(drawn)
