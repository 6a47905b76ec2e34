"""What ``diagram`` lays over a graph: a conversation's path, a log's heat, what changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sms_fsm.cli.files import read
from sms_fsm.diagram import Dwell, Overlay, diff_overlay, heat_overlay, path_overlay
from sms_fsm.errors import LogError, UnknownConversation
from sms_fsm.graph import StateGraph, diff, load_graph_file, load_graph_text
from sms_fsm.registry import Registry
from sms_fsm.replay import Entry, LogProblem, bounded_lines, read_log
from sms_fsm.store import Queries


def conversation_overlay(
    queries: Queries, identity: str, graph: StateGraph | None
) -> tuple[StateGraph, Overlay]:
    """The path of a conversation and the graph to draw it on: this one, or the one it runs on.

    Raises:
        UnknownConversation: there is none with this id.
    """
    conversation = queries.conversation(identity)
    if conversation is None:
        raise UnknownConversation("no conversation has this id")
    graph = graph or _stored(queries, conversation.graph_hash)
    steps = [(e.source, e.target, e.name, e.at) for e in queries.history(identity)]
    return graph, path_overlay(graph, steps)


def _stored(queries: Queries, behaviour_hash: str) -> StateGraph:
    version, document = next(
        (version, document)
        for _, version, known, document in queries.graphs()
        if known == behaviour_hash
    )
    return load_graph_text(document, Registry().names, f"<stored version {version}>")


def change_overlay(graph: StateGraph, old: Path) -> Overlay:
    """What is decided differently since an older graph.

    Raises:
        GraphError: everything that is wrong with it.
    """
    before = load_graph_file(old, Registry().names)
    return diff_overlay(diff(before, graph), before, graph)


def log_overlay(graph: StateGraph, log: Path) -> Overlay:
    """How often each move of an exported log ran, and how long each state held.

    Raises:
        CommandError: the file cannot be read.
        LogError: names the first line that was touched or is no event.
    """
    with read(log) as file:
        moves = list(_moves(bounded_lines(file)))
    counts = Counter((move.source, move.target, move.event) for move in moves)
    return heat_overlay(graph, counts, _dwells(moves))


class _Move(NamedTuple):
    """An event of a log, as far as the heat needs it."""

    conversation: str
    source: str
    target: str
    event: str
    at: datetime


def _moves(lines: Iterable[bytes]) -> Iterator[_Move]:
    for item in read_log(lines):
        if isinstance(item, LogProblem):
            raise LogError(item.line, item.reason)
        if isinstance(item, Entry):
            record = item.record
            names = (record.conversation, record.source, record.target, record.name)
            yield _Move(*names, at=datetime.fromisoformat(record.at))


def _dwells(moves: Iterable[_Move]) -> dict[str, Dwell]:
    entered: dict[str, datetime] = {}
    held: dict[str, list[timedelta]] = defaultdict(list)
    for move in moves:
        since = entered.setdefault(move.conversation, move.at)
        if move.source != move.target:
            held[move.source].append(move.at - since)
            entered[move.conversation] = move.at
    return {state: _dwell(sorted(lengths)) for state, lengths in held.items()}


def _dwell(lengths: Sequence[timedelta]) -> Dwell:
    """Nearest-rank percentiles of sorted lengths."""

    def rank(percent: int) -> timedelta:
        return lengths[-(-len(lengths) * percent // 100) - 1]

    return Dwell(rank(50), rank(95))
