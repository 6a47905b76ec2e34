"""Folds the many transitions of a graph into the few arrows that a reader can take in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias

from sms_fsm.diagram.durations import exactly
from sms_fsm.diagram.order import in_document_order
from sms_fsm.diagram.view import Arrow, DiagramView, Group, Line, Move, Node, Note, Overlay, Tone
from sms_fsm.graph.model import EventKind, State, StateGraph, Transition

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Words that begin a statement in DOT, Mermaid or PlantUML, and the ids that are given out here.
_TAKEN = re.compile(
    r"any\d+|state_\d+|group_\d+|as|call|class|classdef|click|constructor|default|digraph|direction"
    r"|edge|end|foot|footer|graph|header|hide|href|left|legend|linkstyle|node|note|right|root|scale"
    r"|show|skinparam|start|state|strict|style|subgraph|title",
    re.IGNORECASE,
)
_FEWEST_SOURCES = 3
_STATES_FOR_EACH_EXCEPTION = 4
_QUIET = frozenset({Tone.PLAIN, Tone.DIM, Tone.HEAT})


def view_of(
    graph: StateGraph, overlay: Overlay | None = None, *, internal: bool = False
) -> DiagramView:
    """The picture of a graph.

    Moves between the same two states become one arrow, and what leads from almost all states to
    one starts at a stand-in ("any state but new"). A move that an overlay lights is drawn apart.

    Args:
        internal: also list in each state what happens there without leaving it.
    """
    sheet = _Sheet(graph, overlay)
    strands = _strands(sheet)
    inner = _inner(sheet) if internal else {}
    ids = _ids(sheet.states, strands)
    return DiagramView(
        id=graph.id,
        version=graph.version,
        title=graph.title,
        fingerprint=graph.behaviour_hash[:12],
        groups=_groups(sheet, ids, inner),
        arrows=_arrows(strands, ids),
        quiet=_quiet(graph, strands, inner),
        legend=sheet.overlay.legend,
    )


@dataclass(frozen=True, slots=True)
class _StandIn:
    """All states but a few, as the source of one arrow."""

    target: str
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"any state but {', '.join(self.missing)}" if self.missing else "any state"


@dataclass(frozen=True, slots=True)
class _Strand:
    """One line from a state, or from a stand-in for many, to a state."""

    source: str | _StandIn
    target: str
    line: Line
    extra: bool = False


class _Sheet:
    """A graph with an overlay on it, its parts in the order of the document."""

    def __init__(self, graph: StateGraph, overlay: Overlay | None) -> None:
        self.graph = graph
        self.overlay = overlay or Overlay()
        self.states = in_document_order(graph.states) + self.overlay.ghost_states
        self.transitions = graph.transitions + self.overlay.ghost_transitions
        self.silence = Note(Tone.DIM) if overlay else Note()

    def line(self, transition: Transition) -> Line:
        event = self.graph.events.get(transition.event)
        timer = self.graph.timers.get(transition.event)
        move = Move(transition.source, transition.target, transition.event)
        return Line(
            events=(transition.event,),
            guards=transition.guards,
            actions=transition.actions,
            timer=event is not None and event.kind is EventKind.TIMER,
            after=exactly(timer.after) if timer else "",
            note=self.overlay.moves.get(move, self.silence),
        )

    def note(self, state: State) -> Note:
        return self.overlay.states.get(state.name, self.silence)

    def unremarkable(self, strand: _Strand) -> bool:
        """Whether a move goes without saying among others of its rule."""
        newcomers = {name for name, note in self.overlay.states.items() if note.tone is Tone.ADDED}
        return strand.line.note.tone in _QUIET or strand.source in newcomers


_Ids: TypeAlias = Mapping[str | _StandIn, str]


def _strands(sheet: _Sheet) -> list[_Strand]:
    bundles: dict[tuple[str, Line], list[_Strand]] = {}
    for transition in sheet.transitions:
        if transition.source != transition.target:
            line = sheet.line(transition)
            strand = _Strand(transition.source, transition.target, line)
            bundles.setdefault((transition.target, _rule(line)), []).append(strand)
    return [strand for bundle in bundles.values() for strand in _gathered(bundle, sheet)]


def _rule(line: Line) -> Line:
    """What moves must have in common to be gathered; what is gone goes by itself."""
    return line if line.note.tone is Tone.REMOVED else replace(line, note=Note())


def _gathered(bundle: Sequence[_Strand], sheet: _Sheet) -> Iterator[_Strand]:
    """The moves of one rule: from a stand-in if they leave almost all states, else one by one."""
    target = bundle[0].target
    sources = {strand.source for strand in bundle}
    others = (sheet.graph.states.keys() | sources) - {target}
    missing = tuple(s.name for s in sheet.states if s.name in others - sources)
    if len(sources) < _FEWEST_SOURCES or len(missing) > len(others) // _STATES_FOR_EACH_EXCEPTION:
        yield from bundle
        return
    alike = len({strand.line.note for strand in bundle}) == 1
    gathered = [strand for strand in bundle if alike or sheet.unremarkable(strand)]
    if gathered:
        line = _sum([strand.line for strand in gathered])
        yield _Strand(_StandIn(target, missing), target, line)
    yield from (replace(strand, extra=True) for strand in bundle if strand not in gathered)


def _sum(lines: Sequence[Line]) -> Line:
    hottest = max((line.note for line in lines), key=lambda note: note.count)
    count = sum(line.note.count for line in lines)
    events = tuple(dict.fromkeys(event for line in lines for event in line.events))
    return replace(lines[0], events=events, note=replace(hottest, count=count))


def _ids(states: Sequence[State], strands: Sequence[_Strand]) -> _Ids:
    ids: dict[str | _StandIn, str] = {}
    for number, state in enumerate(states, 1):
        plain = _PLAIN_NAME.fullmatch(state.name) and not _TAKEN.fullmatch(state.name)
        ids[state.name] = state.name if plain else f"state_{number}"
    stand_ins = dict.fromkeys(t.source for t in strands if isinstance(t.source, _StandIn))
    return ids | {stand_in: f"any{number}" for number, stand_in in enumerate(stand_ins, 1)}


def _arrows(strands: Sequence[_Strand], ids: _Ids) -> tuple[Arrow, ...]:
    between: dict[tuple[str, str], list[_Strand]] = {}
    for strand in strands:
        between.setdefault((ids[strand.source], ids[strand.target]), []).append(strand)
    return tuple(_arrow(*ends, strands=of_ends) for ends, of_ends in between.items())


def _arrow(source: str, target: str, strands: Sequence[_Strand]) -> Arrow:
    lines = _merged(strand.line for strand in strands)
    return Arrow(source, target, lines, extra=all(strand.extra for strand in strands))


def _inner(sheet: _Sheet) -> dict[str, tuple[Line, ...]]:
    lines: dict[str, list[Line]] = {}
    for transition in sheet.transitions:
        if transition.source == transition.target:
            lines.setdefault(transition.source, []).append(sheet.line(transition))
    return {state: _merged(of_state) for state, of_state in lines.items()}


def _merged(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines that differ in the event alone become one that names all their events."""
    alike: dict[Line, list[Line]] = {}
    for line in lines:
        note = replace(line.note, count=0)
        key = line if note.lines else replace(line, events=(), note=note)
        alike.setdefault(key, []).append(line)
    return tuple(_sum(same) for same in alike.values())


def _groups(sheet: _Sheet, ids: _Ids, inner: Mapping[str, tuple[Line, ...]]) -> tuple[Group, ...]:
    nodes: dict[str, list[Node]] = {}
    for state in sheet.states:
        members = nodes.setdefault(state.group, [])
        members.append(_node(state, ids[state.name], inner.get(state.name, ()), sheet.note(state)))
        members += (
            Node(id=id_, name=one.name, pseudo=True, note=sheet.silence)
            for one, id_ in ids.items()
            if isinstance(one, _StandIn) and one.target == state.name
        )
    return tuple(Group(name, tuple(members)) for name, members in nodes.items())


def _node(state: State, id_: str, inner: tuple[Line, ...], note: Note) -> Node:
    return Node(
        id=id_,
        name=state.name,
        title=state.title,
        initial=state.initial,
        rest=state.rest,
        final=state.final,
        awaits=state.awaits_delivery,
        inner=inner,
        note=note,
    )


def _quiet(
    graph: StateGraph, strands: Iterable[_Strand], inner: Mapping[str, tuple[Line, ...]]
) -> tuple[str, ...]:
    lines = chain((strand.line for strand in strands), *inner.values())
    shown = {event for line in lines for event in line.events}
    return tuple(e.name for e in in_document_order(graph.events) if e.name not in shown)
