"""``export``, ``replay``, ``rebuild``: the event log, judged again with and without its store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sms_fsm.cli.files import failing_clearly, written
from sms_fsm.cli.options import DatabaseUrl, Format, OutputFormat
from sms_fsm.cli.progress import counting
from sms_fsm.cli.replayed import print_rebuild, print_report, report_document
from sms_fsm.cli.stores import opened, reading
from sms_fsm.cli.terminal import json_document, note, printable, stdout
from sms_fsm.config import Settings
from sms_fsm.engine import export_log
from sms_fsm.errors import UnknownConversation
from sms_fsm.graph import load_graph_file
from sms_fsm.messages import check_instant
from sms_fsm.registry import Registry
from sms_fsm.replay import rebuild as folded
from sms_fsm.replay import verify_file
from sms_fsm.store.stored_log import StoredLog


def export(
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here in place of stdout."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", metavar="ID", help="Only this one.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only events from this time on, as RFC 3339 has it."
        ),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write the event log as JSON Lines, with the graphs that it needs.

    It holds digests and classified facts: no texts, no phone numbers. `sms-fsm replay`
    reads it.
    """
    moment = check_instant(since, "since")
    with reading(database_url) as queries:
        if conversation is not None and queries.conversation(conversation) is None:
            raise UnknownConversation(f"no conversation has the id {printable(conversation)}")
        if output is None:
            export_log(queries, sys.stdout, conversation=conversation, since=moment)
            return
        with written(output) as file, counting("exporting") as progress:
            count = export_log(
                queries, file, conversation=conversation, since=moment, on_progress=progress
            )
    note(f"wrote {count:,} events to {output}")


def replay(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="An exported log.", show_default=False)
    ],
    *,
    graph: Annotated[
        Path | None,
        typer.Option("--graph", metavar="FILE", help="A candidate to run all events on."),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="N", help="Processes that share the work.")
    ] = 1,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List what of the graphs no event exercised.")
    ] = False,
    format_: OutputFormat = Format.TEXT,
) -> None:
    """Decide every event of an exported log again, without a store or a network.

    Without `--graph` each event runs on the graph version that it was recorded on; with it
    all run on that candidate. Exit code 1 if an event comes out otherwise or the log was touched.
    """
    registry = Registry()
    candidate = load_graph_file(graph, registry.names) if graph else None
    with failing_clearly(log), counting("replaying") as progress:
        report = verify_file(
            log, graph=candidate, registry=registry, jobs=jobs, on_progress=progress
        )
    if format_ is Format.JSON:
        json_document(report_document(report, coverage=coverage))
    else:
        print_report(stdout(), log, report, coverage=coverage)
    if not report.clean:
        raise typer.Exit(1)


def rebuild(*, database_url: DatabaseUrl = None, format_: OutputFormat = Format.TEXT) -> None:
    """Fold the stored log of every conversation and compare it with what is stored beside it.

    Writes nothing. Exit code 1 if anything drifted, or if the stored log was touched.
    """
    with opened(Settings.from_env(database_url=database_url)) as database:
        report = folded(StoredLog(database))
    if format_ is Format.JSON:
        json_document(asdict(report) | {"clean": report.clean})
    else:
        print_rebuild(stdout(), report)
    if not report.clean:
        raise typer.Exit(1)
