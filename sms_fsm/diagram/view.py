"""What a picture shows: a plain frozen model that the renderers read, and notes laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from sms_fsm.graph.model import State, Transition


class Tone(StrEnum):
    """How a note makes a state or an arrow look."""

    PLAIN = "plain"
    DIM = "dim"
    """Steps back: an overlay says nothing about it."""
    LIT = "lit"
    PRESENT = "present"
    """The state that a conversation is in now."""
    HEAT = "heat"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Move(NamedTuple):
    """From one state to another (or the same) by an event: what a note hangs on."""

    source: str
    target: str
    event: str


@dataclass(frozen=True, slots=True)
class Note:
    """What an overlay says about one state or move.

    Args:
        lines: short texts to write beside it.
        count: how often it happened; counts of merged moves are added up.
        heat: between 0 (cool) and 1 (hot).
    """

    tone: Tone = Tone.PLAIN
    lines: tuple[str, ...] = ()
    count: int = 0
    heat: float = 0.0


@dataclass(frozen=True, slots=True)
class Overlay:
    """Notes to lay over a graph. What has no note steps back.

    Args:
        legend: lines that explain the notes, for the foot of the picture.
        ghost_states, ghost_transitions: drawn too, though the graph no longer has them.
    """

    states: Mapping[str, Note] = field(default_factory=lambda: MappingProxyType({}))
    moves: Mapping[Move, Note] = field(default_factory=lambda: MappingProxyType({}))
    legend: tuple[str, ...] = ()
    ghost_states: tuple[State, ...] = ()
    ghost_transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of an arrow's label: these events, if the guards hold, do these actions.

    ``after`` is the wait of a timer, such as ``72h``; empty where the graph does not fix it.
    """

    events: tuple[str, ...]
    guards: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    timer: bool = False
    after: str = ""
    note: Note = Note()


@dataclass(frozen=True, slots=True)
class Node:
    """A state, or a stand-in for many (``pseudo``) such as "any state but new".

    Args:
        id: an identifier that DOT, Mermaid and PlantUML all take; unique in the view.
        inner: what happens in the state without leaving it; empty unless asked for.
    """

    id: str
    name: str
    title: str = ""
    initial: bool = False
    rest: bool = False
    final: bool = False
    awaits: bool = False
    pseudo: bool = False
    inner: tuple[Line, ...] = ()
    note: Note = Note()


@dataclass(frozen=True, slots=True)
class Group:
    """States that are drawn together, each stand-in in the group that its arrow leads to.

    A nameless group is drawn without a frame.
    """

    name: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """All that leads from one node to another; ``source`` and ``target`` are node ids.

    An ``extra`` one is drawn for its note alone: a stand-in's arrow says the same without it. It
    should not bend the layout.
    """

    source: str
    target: str
    lines: tuple[Line, ...]
    extra: bool = False

    @property
    def tone(self) -> Tone:
        """The one tone of its lines; mixed lines give the tone that says most."""
        tones = {line.note.tone for line in self.lines}
        if len(tones) == 1:
            return tones.pop()
        return next((tone for tone in (Tone.LIT, Tone.HEAT) if tone in tones), Tone.CHANGED)

    @property
    def count(self) -> int:
        """How often it ran, over all its lines."""
        return sum(line.note.count for line in self.lines)


@dataclass(frozen=True, slots=True)
class DiagramView:
    """A state graph as a picture shows it, in the order of the document.

    Args:
        fingerprint: the first 12 hex digits of the graph's behaviour hash.
        quiet: events of the graph that no arrow or inner line names.
        legend: the overlay's own lines.
    """

    id: str
    version: int
    title: str
    fingerprint: str
    groups: tuple[Group, ...]
    arrows: tuple[Arrow, ...]
    quiet: tuple[str, ...]
    legend: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All states and stand-ins, group by group."""
        return tuple(node for group in self.groups for node in group.nodes)
