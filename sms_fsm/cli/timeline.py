"""One conversation as people read it: what happened, its texts, and what still waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sms_fsm.cli.addresses import shown
from sms_fsm.cli.terminal import printable, table
from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Effect, EffectState
from sms_fsm.log import LoggedEvent
from sms_fsm.wording import Texts, in_words

_STATES = {
    "new": "cyan",
    "active": "blue",
    "routed": "blue",
    "awaiting_delivery": "yellow",
    "delivered": "green",
    "failed": "red",
    "archived": "magenta",
    "reactivated": "magenta",
}
_STATUSES = {"delivered": "green", "failed": "red", "sent": "yellow", "accepted": "yellow"}


def print_story(
    console: Console,
    conversation: Conversation,
    history: Sequence[LoggedEvent],
    waiting: Sequence[Effect],
    *,
    reveal: bool,
) -> None:
    """Print head, timeline, texts and waiting effects of a conversation."""
    texts = {message.seq: message for message in conversation.messages}
    console.print(head(conversation, reveal=reveal))
    console.print(_titled("What happened (times are UTC)", timeline(history, texts)))
    console.print(_titled("Texts", messages(conversation.messages, reveal=reveal)))
    if waiting or conversation.timers:
        console.print(_titled("Still to come", still_to_come(conversation, waiting)))


def head(conversation: Conversation, *, reveal: bool) -> RenderableType:
    """Who it is with, where it stands and where it is routed."""
    customer = shown(conversation.customer, reveal=reveal)
    business = shown(conversation.business, reveal=reveal)
    routing = ", ".join(f"{k} {v}" for k, v in conversation.routing.to_data().items())
    facts = {
        "conversation": Text(conversation.id, style="bold"),
        "state": state(conversation.state),
        "customer": Text(f"{customer} with {business}"),
        "CXone": Text(printable(conversation.conversation_id or "not opened yet")),
        "routing": Text(printable(routing or "none yet")),
        "graph": Text(f"version {conversation.graph_version} ({conversation.graph_hash[:12]})"),
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(name, value)
    return grid


def timeline(history: Sequence[LoggedEvent], texts: Texts) -> RenderableType:
    """One row an event; beneath it, dim, the effects that it planned."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    day: date | None = None
    for event in history:
        if event.at.date() != day:
            day = event.at.date()
            grid.add_row("", Text(f"{day:%A, %d %B %Y}", style="bold"), "")
        grid.add_row(f"{event.at:%H:%M:%S}", _happening(event, texts), _movement(event))
    return grid


def messages(found: Sequence[Message], *, reveal: bool) -> RenderableType:
    """One row a text."""
    headings = ("key", "direction", "status", "segments", "tries", "CXone ids")
    drawn = table(*headings, *(["text"] if reveal else []))
    for message in found:
        status = Text(message.status, style=_STATUSES.get(message.status, ""))
        body = [Text(printable(message.text or "(erased)"))] if reveal else []
        drawn.add_row(
            Text(printable(message.key)),
            "note" if message.note else message.direction,
            status,
            str(segments(message)),
            str(message.attempts),
            Text(printable(" ".join(message.message_ids))),
            *body,
        )
    return drawn


def still_to_come(conversation: Conversation, waiting: Sequence[Effect]) -> RenderableType:
    """Effects that are not done with why they wait or gave up, and timers that run."""
    drawn = table("what", "when", "tries", "id")
    drawn.columns[-1].no_wrap = True
    for effect in waiting:
        when = _when(effect.due_at) if effect.state is EffectState.PENDING else effect.state
        what = Text(printable(effect.name))
        if effect.reason:
            what.append(f"\n{printable(effect.reason)}", style="dim")
        drawn.add_row(what, when, str(effect.attempts), effect.id)
    for name, due in conversation.timers:
        drawn.add_row(Text(printable(name)), _when(due), "", Text("a timer", style="dim"))
    return drawn


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(printable(name), style=_STATES.get(name, "bold"))


def segments(message: Message) -> int:
    """How many SMS segments the whole text takes."""
    return sum(part.segments for part in message.parts)


def _titled(title: str, body: RenderableType) -> Group:
    return Group("", Text(title, style="bold underline"), body)


def _happening(event: LoggedEvent, texts: Texts) -> Text:
    said = Text(printable(in_words(event, texts)))
    if event.effects:
        said.append(f"; plans {', '.join(event.effects)}", style="dim")
    return said


def _movement(event: LoggedEvent) -> Text:
    if event.source == event.target:
        return Text(printable(event.target), style="dim")
    return Text.assemble(state(event.source), (" → ", "dim"), state(event.target))


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
