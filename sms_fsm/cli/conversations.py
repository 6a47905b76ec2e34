"""``list`` and ``show``: looking at conversations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from sms_fsm.cli.addresses import shown
from sms_fsm.cli.documents import conversation_document, story_document
from sms_fsm.cli.options import ConversationId, DatabaseUrl, Format, OutputFormat, Reveal
from sms_fsm.cli.stores import reading
from sms_fsm.cli.terminal import json_document, note, printable, stdout, table
from sms_fsm.cli.timeline import print_story, state
from sms_fsm.cli.waiting import waiting_effects
from sms_fsm.diagram.durations import about
from sms_fsm.errors import UnknownConversation
from sms_fsm.store.queries import Listed

_BOTH_NUMBERS_FIT = 96
"""Columns from which on the two numbers stand side by side."""


def listed(
    *,
    in_state: Annotated[
        str | None, typer.Option("--state", metavar="NAME", help="Only those in this state.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="ID", help="Go on behind this one: the next page."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, metavar="N", help="Rows of a page.")
    ] = 50,
    reveal: Reveal = False,
    database_url: DatabaseUrl = None,
    format_: OutputFormat = Format.TEXT,
) -> None:
    """List conversations, oldest first, with the age of their state.

    Numbers are masked unless `--reveal` is given.
    """
    with reading(database_url) as queries:
        found = queries.listing(in_state, after, limit + 1)
    page, more = found[:limit], len(found) > limit
    if format_ is Format.JSON:
        items = [_document(one, reveal=reveal) for one in page]
        json_document({"items": items, "next": page[-1].conversation.id if more else None})
        return
    _print_page(page, reveal=reveal)
    if more:
        note(f"more: --after {page[-1].conversation.id}")


def show(
    identity: ConversationId,
    *,
    reveal: Reveal = False,
    database_url: DatabaseUrl = None,
    format_: OutputFormat = Format.TEXT,
) -> None:
    """Show one conversation: its timeline in plain words, its texts, and what still waits.

    Numbers are masked and texts left out unless `--reveal` is given.
    """
    with reading(database_url) as queries:
        conversation = queries.conversation(identity)
        if conversation is None:
            raise UnknownConversation(f"no conversation has the id {printable(identity)}")
        history = queries.history(identity)
        waiting = waiting_effects(queries, conversation)
    if format_ is Format.JSON:
        json_document(story_document(conversation, history, waiting, reveal=reveal))
    else:
        print_story(stdout(), conversation, history, waiting, reveal=reveal)


def _document(listed_one: Listed, *, reveal: bool) -> dict[str, object]:
    document = conversation_document(listed_one.conversation, reveal=reveal)
    return document | {"state_since": listed_one.since}


def _print_page(page: Sequence[Listed], *, reveal: bool) -> None:
    if not page:
        note("no conversations")
        return
    console = stdout()
    joint = "\n" if console.width < _BOTH_NUMBERS_FIT else "  "
    drawn = table("id", "state", "for", joint.join(("customer".ljust(12), "business")), "CXone")
    for column in drawn.columns[:-1]:
        column.no_wrap = True
    now = datetime.now(UTC)
    for one in page:
        numbers = (one.conversation.customer, one.conversation.business)
        drawn.add_row(
            one.conversation.id,
            state(one.conversation.state),
            about(max(now - one.since, timedelta())),
            joint.join(shown(number, reveal=reveal) for number in numbers),
            Text(printable(one.conversation.conversation_id or "-")),
        )
    console.print(drawn)
