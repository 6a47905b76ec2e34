"""``diff``: what two state graphs decide differently, and whom it touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sms_fsm.cli.options import DatabaseUrl, Format, OutputFormat
from sms_fsm.cli.stores import reading
from sms_fsm.cli.terminal import json_document, note, stdout, table
from sms_fsm.graph import Change, StateGraph, check_migration, diff, load_graph_file
from sms_fsm.registry import Registry


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The graph as it was.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The graph as it is to be.")],
    database_url: DatabaseUrl = None,
    format_: OutputFormat = Format.TEXT,
) -> None:
    """Show what two state graphs decide differently.

    With `--database-url` also how many live conversations of the old graph each change
    touches. Titles, groups, comments and order of keys do not count. The text folds the rules of
    a state that came or went; json lists them all.
    """
    names = Registry().names
    before, after = load_graph_file(old, names), load_graph_file(new, names)
    changes = diff(before, after).changes
    live = _live(before, database_url) if database_url else None
    if format_ is Format.JSON:
        json_document([_change_document(change, live) for change in changes])
    else:
        _print_changes(before, after, changes, live)


def _live(graph: StateGraph, database_url: str) -> Counter[str]:
    with reading(database_url) as queries:
        return Counter(dict(queries.live(graph.behaviour_hash)))


def _touched(change: Change, live: Counter[str]) -> int:
    return sum(live[state] for state in change.states) if change.states else live.total()


def _change_document(change: Change, live: Counter[str] | None) -> dict[str, object]:
    document = asdict(change) | {"item": change.item._asdict()}
    return document if live is None else document | {"conversations": _touched(change, live)}


def _print_changes(
    old: StateGraph, new: StateGraph, changes: Sequence[Change], live: Counter[str] | None
) -> None:
    if not changes:
        note(f"versions {old.version} and {new.version} decide the same")
        return
    drawn = table("what", "change", "before", "after", *([] if live is None else ["conversations"]))
    for change in _folded(changes):
        counted = [] if live is None else [f"{_touched(change, live):,}"]
        drawn.add_row(_item(change), change.how, Text(change.before), Text(change.after), *counted)
    stdout().print(drawn)
    _print_way(old, new)


def _folded(changes: Sequence[Change]) -> Iterator[Change]:
    """Without the rules of states that came or went, which are told as a number."""
    rules = Counter(change.item.source for change in changes if change.item.part == "transition")
    whole = {
        change.item.name: change.how
        for change in changes
        if change.item.part == "state" and change.how in ("added", "removed")
    }
    for change in changes:
        name, counted = change.item.name, f"{rules[change.item.name]} rules"
        if change.item.source in whole:
            continue
        if change.item.part != "state" or name not in whole:
            yield change
        elif change.how == "added":
            yield replace(change, after=counted)
        else:
            yield replace(change, before=counted)


def _print_way(old: StateGraph, new: StateGraph) -> None:
    """Whether live conversations could move, as `migrate` would say."""
    if old.id != new.id or old.version == new.version:
        return
    problems = check_migration(old, new)
    for problem in problems:
        note(str(problem))
    if not problems:
        note(f"conversations on version {old.version} can migrate to version {new.version}")


def _item(change: Change) -> str:
    item = change.item
    where = f" in {item.source} on {item.event}" if item.source else ""
    return f"{item.part} {item.name}".strip() + where
