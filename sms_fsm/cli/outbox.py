"""``dead-letters``, ``retry`` and ``carriers``: what is stuck, and how carriers behave."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from sms_fsm.cli.documents import effect_document
from sms_fsm.cli.options import (
    ClientId,
    CXoneUrl,
    DatabaseUrl,
    Format,
    GraphOption,
    OutputFormat,
    QueueId,
)
from sms_fsm.cli.stores import reading, require_file
from sms_fsm.cli.terminal import json_document, line, note, printable, stdout, table
from sms_fsm.config import Settings
from sms_fsm.engine import Engine


def dead_letters(*, database_url: DatabaseUrl = None, format_: OutputFormat = Format.TEXT) -> None:
    """List effects that gave up, why, and after how many attempts.

    Each waits for `sms-fsm retry ID`. Exit code 0, also if there are some.
    """
    with reading(database_url) as queries:
        dead = queries.dead_letters()
    if format_ is Format.JSON:
        json_document([effect_document(effect) for effect in dead])
        return
    if not dead:
        note("no dead letters")
        return
    drawn = table("id", "effect", "attempts", "why it gave up")
    drawn.columns[0].no_wrap = True
    for effect in dead:
        reason = Text(printable(effect.reason or ""))
        drawn.add_row(effect.id, Text(printable(effect.name)), str(effect.attempts), reason)
    stdout().print(drawn)


def retry(
    effect: Annotated[str, typer.Argument(metavar="ID", help="Of a dead letter.")],
    *,
    database_url: DatabaseUrl = None,
    graph: GraphOption = None,
    cxone_url: CXoneUrl = None,
    client_id: ClientId = None,
    queue_id: QueueId = None,
) -> None:
    """Give a dead letter another go. A worker carries it out.

    What it held is released in its order.
    """
    settings = Settings.from_env(
        database_url=database_url,
        graph=graph,
        cxone_url=cxone_url,
        client_id=client_id,
        queue_id=queue_id,
    )
    require_file(settings)
    with Engine.from_settings(settings) as engine:
        engine.retry(effect)
    line(f"{effect} goes again")


def carriers(*, database_url: DatabaseUrl = None, format_: OutputFormat = Format.TEXT) -> None:
    """Show delivered and failed texts and repeated callbacks for each carrier profile.

    The profile is what the host's carrier look-up says of a number; without one it is
    `unknown`.
    """
    with reading(database_url) as queries:
        figures = queries.carriers()
    if format_ is Format.JSON:
        json_document([asdict(one) for one in figures])
        return
    if not figures:
        note("no carrier has said anything yet")
        return
    drawn = table("carrier profile", "delivered", "failed", "failure rate", "repeated callbacks")
    for column in drawn.columns[1:]:
        column.justify = "right"
    for one in figures:
        judged = one.delivered + one.failed
        rate = f"{one.failed / judged:.1%}" if judged else "-"
        counts = (str(one.delivered), str(one.failed), rate, str(one.duplicates))
        drawn.add_row(Text(printable(one.profile)), *counts)
    stdout().print(drawn)
