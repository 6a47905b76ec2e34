"""The ``doctor`` command: look at everything, say how to mend what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import typer
from rich.table import Table
from rich.text import Text

from sms_fsm.cli.doctor.finding import Finding, Grade, wrong
from sms_fsm.cli.doctor.of_graph import graph_findings
from sms_fsm.cli.doctor.of_platform import platform_findings
from sms_fsm.cli.doctor.of_settings import settings_findings
from sms_fsm.cli.doctor.of_store import reachable_store, store_findings
from sms_fsm.cli.options import (
    ClientId,
    CXoneUrl,
    DatabaseUrl,
    Format,
    GraphOption,
    OutputFormat,
    QueueId,
)
from sms_fsm.cli.terminal import json_document, printable, stdout
from sms_fsm.config import Settings
from sms_fsm.errors import SettingsError
from sms_fsm.store import Queries

_MARKS = {
    Grade.OK: Text("✓", style="green"),
    Grade.WARNING: Text("!", style="bold yellow"),
    Grade.WRONG: Text("✗", style="bold red"),
}


def doctor(
    *,
    database_url: DatabaseUrl = None,
    graph: GraphOption = None,
    cxone_url: CXoneUrl = None,
    client_id: ClientId = None,
    queue_id: QueueId = None,
    format_: OutputFormat = Format.TEXT,
) -> None:
    """Check settings, database, graph and CXone, and say how to mend what is wrong.

    Asks CXone for a token and looks at its scopes; changes nothing. Lists texts that no carrier
    has had the last word on for over 24 hours. Exit code 1 if something is wrong; warnings alone
    are 0.
    """
    overrides = {
        "database_url": database_url,
        "graph": graph,
        "cxone_url": cxone_url,
        "client_id": client_id,
        "queue_id": queue_id,
    }
    findings = list(_findings(overrides))
    if format_ is Format.JSON:
        json_document([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.grade is Grade.WRONG for finding in findings):
        raise typer.Exit(1)


def _findings(overrides: Mapping[str, object]) -> Iterator[Finding]:
    try:
        settings = Settings.from_env(**overrides)
    except SettingsError as error:
        for said in str(error).splitlines():
            yield wrong("settings", said, "mend that option, SMS_FSM_… variable or line of .env")
        return
    yield from settings_findings(settings)
    yield from _stored(settings)
    if settings.cxone_url and settings.client_id and settings.client_secret and settings.queue_id:
        yield from platform_findings(settings)


def _stored(settings: Settings) -> Iterator[Finding]:
    database, found = reachable_store(settings)
    yield from found
    if database is None:
        yield from graph_findings(settings, None)
        return
    try:
        queries = Queries(database)
        yield from graph_findings(settings, queries)
        yield from store_findings(queries)
    finally:
        database.close()


def _print(findings: Sequence[Finding]) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for finding in findings:
        said = Text(printable(finding.said))
        if finding.mend:
            said.append(f"\n→ {finding.mend}", style="cyan")
        grid.add_row(_MARKS[finding.grade], finding.subject, said)
    console = stdout()
    console.print(grid)
    counts = {grade: sum(f.grade is grade for f in findings) for grade in Grade}
    console.print(
        f"\n{counts[Grade.OK]} ok, {counts[Grade.WARNING]} to look at, {counts[Grade.WRONG]} wrong"
    )
