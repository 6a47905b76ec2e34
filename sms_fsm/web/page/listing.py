"""Pages of many conversations: the stuck ones first, by key, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from sms_fsm.graph import StateGraph
from sms_fsm.sms import normalise
from sms_fsm.store import Board
from sms_fsm.store.queries import Listed
from sms_fsm.web.answers import Refused

PAGE = 50
MOST_SHOWN = 10_000
"""Counts on the page end here."""

_MOVING, _RESTING = "on their way", "at rest"
_COLOURS = 6


@dataclass(frozen=True, slots=True)
class Page:
    """Some conversations, in parts with a title each, and the key of the page behind them."""

    parts: Sequence[tuple[str, Sequence[Listed]]]
    following: str | None


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many conversations are in a state."""

    name: str
    title: str
    count: int


def stuck_first(board: Board, graph: StateGraph, after: str | None) -> Page:
    """Conversations in states that should pass by themselves, oldest first; then the others."""
    part, key = _key(after or _MOVING)
    found: list[tuple[str, Listed]] = []
    for title in (_MOVING, _RESTING)[part == _RESTING :]:
        states = _states(graph, resting=title == _RESTING)
        page = board.by_age(states, key if title == part else None, PAGE + 1 - len(found))
        found += [(title, one) for one in page]
    return _page(found)


def in_state(board: Board, state: str, after: str | None) -> Page:
    """Conversations in one state, those first that have been so for longest."""
    _, key = _key(after or "")
    return _page([("", one) for one in board.by_age([state], key, PAGE + 1)])


def searched(board: Board, wanted: str, after: str | None) -> Page:
    """Conversations of a number, or the one with an id of ours or of CXone's.

    Raises:
        InvalidAddress: it is neither.
    """
    identity = wanted.strip()
    if identity and identity.isascii() and identity.isprintable():
        known = board.conversation(board.holder(identity) or identity)
        if known is not None:
            return Page([("", [known])], None)
    found = board.of_number(normalise(identity, "search"), after, PAGE + 1)
    more = found[PAGE - 1].conversation.id if len(found) > PAGE else None
    return Page([("", found[:PAGE])] if found else [], more)


def state_counts(board: Board, graph: StateGraph) -> Sequence[StateCount]:
    """The states of a graph in its order, with how many conversations are in each."""
    counts = board.counts(graph.states, MOST_SHOWN)
    return [StateCount(s.name, s.title, counts[s.name]) for s in graph.states.values()]


def looks(graph: StateGraph) -> dict[str, str]:
    """The style of each state: its group's colour, and whether it should pass by itself."""
    groups = list(dict.fromkeys(state.group for state in graph.states.values()))
    return {
        state.name: f"h{groups.index(state.group) % _COLOURS}" + ("" if state.rest else " moving")
        for state in graph.states.values()
    }


def _states(graph: StateGraph, *, resting: bool) -> list[str]:
    return [state.name for state in graph.states.values() if state.rest == resting]


def _page(found: Sequence[tuple[str, Listed]]) -> Page:
    """A page of those found, of which there is one too many if there are more."""
    shown = found[:PAGE]
    parts = [(title, [one for _, one in each]) for title, each in groupby(shown, key=itemgetter(0))]
    if len(found) <= PAGE:
        return Page(parts, None)
    title, last = shown[-1]
    return Page(parts, f"{title}~{last.since.isoformat()}~{last.conversation.id}")


def _key(text: str) -> tuple[str, tuple[datetime, str] | None]:
    """The key of a page: the part, and the time and id of the last one before, if any.

    Raises:
        Refused: 400, it is none.
    """
    part, _, rest = text.partition("~")
    since, _, identity = rest.partition("~")
    if not rest:
        return part, None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not identity.isalnum():
        raise Refused(400, "this is no page: go back to the first one")
    return part, (moment, identity)
