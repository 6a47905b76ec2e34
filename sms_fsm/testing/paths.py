"""Ways through a graph that together take every rule and see every answer of the platform.

The search is guided, bounded and the same every time. What no way reaches is listed, not hidden.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

from sms_fsm.conversation import Message
from sms_fsm.graph import StateGraph, Transition
from sms_fsm.machine import Machine, Step
from sms_fsm.registry import Registry
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.testing.answers import Answer
from sms_fsm.testing.happenings import happenings
from sms_fsm.testing.life import Happening, Life, Waiting
from sms_fsm.testing.outcomes import ANSWERS, OF_HOSTS

_BEGINS = datetime(2026, 1, 5, 9, tzinfo=UTC)
_MOST_WAITING = 5
_NEW, _PROMISING = 4, 2  # by how many happenings such a life is nearer than it looks


@dataclass(frozen=True, slots=True)
class Path:
    """One conversation from its beginning on.

    Args:
        happenings: what happened, in order.
        steps: what the graph made of it; several where one happening is several events.
    """

    happenings: tuple[Happening, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return " > ".join(happening.label for happening in self.happenings)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Paths that cover a graph, and what they leave out.

    Args:
        paths: those that cover most come first.
        unreached: rules that no path takes: they cannot apply, or not within the bounds.
        unanswered: effects of the graph with answers that no path sees.
    """

    paths: tuple[Path, ...]
    unreached: tuple[Transition, ...]
    unanswered: tuple[tuple[str, Answer], ...]


def covering_paths(
    graph: StateGraph, registry: Registry | None = None, *, effort: int = 5_000
) -> Coverage:
    """Paths that take every rule of a graph and see every answer to each of its effects.

    Args:
        registry: the host's own guards, actions and effects; they must be pure.
        effort: how many lives are looked at; the default takes some seconds.
    """
    registry = registry or Registry()
    search = _Search(graph, ReplayMachine(graph, registry.guards, registry.actions))
    search.run(effort)
    machine = Machine(graph, registry.guards, registry.actions)
    missing = search.missing
    return Coverage(
        paths=tuple(_walked(graph, machine, trail) for trail in search.chosen()),
        unreached=tuple(t for t in graph.transitions if _taken(t) in missing),
        unanswered=tuple(pair for pair in _answers(graph) if _Goal(*pair) in missing),
    )


class _Goal(NamedTuple):
    """A rule in one state on one event, or an answer to an effect."""

    name: str
    answer: Answer | None = None
    source: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Trail:
    """How a life came about, from its last happening back."""

    before: _Trail | None
    happening: Happening
    length: int

    def happenings(self) -> list[Happening]:
        earlier = self.before.happenings() if self.before else []
        return [*earlier, self.happening]


class _Search:
    """Best first: short lives, those that just did something new, those where something is left.

    Lives that look alike are followed once, and so is what leaves a life as it was.
    """

    def __init__(self, graph: StateGraph, machine: Machine) -> None:
        self._graph = graph
        self._machine = machine
        self.missing = {_taken(move) for move in graph.transitions}
        self.missing |= {_Goal(*pair) for pair in _answers(graph)}
        self._found: dict[_Goal, _Trail] = {}
        self._idle: set[tuple[str, str]] = set()
        self._seen: set[Hashable] = set()
        self._ahead: list[tuple[int, int, Life, _Trail | None]] = []
        self._ticks = count()

    def run(self, effort: int) -> None:
        start = Life.beginning(self._graph, _BEGINS)
        self._seen.add(_looks(start))
        self._ahead = [(0, next(self._ticks), start, None)]
        for _ in range(effort):
            if not self._ahead or not self.missing:
                return
            *_, life, trail = heapq.heappop(self._ahead)
            self._follow(life, trail)

    def _follow(self, life: Life, trail: _Trail | None) -> None:
        before = _looks(life)
        for happening in happenings(life, self._graph):
            place = (life.conversation.state, happening.label)
            if place in self._idle:
                continue
            after, steps = life.after(self._machine, happening)
            way = _Trail(trail, happening, trail.length + 1 if trail else 1)
            new = self._note(_reached(happening, steps), way)
            looks = _looks(after)
            if looks == before:
                self._idle.add(place)
            elif looks not in self._seen and len(after.ready) <= _MOST_WAITING:
                self._seen.add(looks)
                self._push(after, way, new=new)

    def _note(self, goals: Iterable[_Goal], way: _Trail) -> bool:
        fresh = self.missing.intersection(goals)
        self.missing -= fresh
        self._found.update(dict.fromkeys(fresh, way))
        return bool(fresh)

    def _push(self, life: Life, way: _Trail, *, new: bool) -> None:
        promising = any(goal.source == life.conversation.state for goal in self.missing)
        distance = way.length - _NEW * new - _PROMISING * promising
        heapq.heappush(self._ahead, (distance, next(self._ticks), life, way))

    def chosen(self) -> Iterator[_Trail]:
        """A few of the trails that reach all that was found, the richest first."""
        reach = {trail: self._along(trail) for trail in self._found.values()}
        left = set(self._found)
        while left:
            trail = max(reach, key=lambda trail: len(reach[trail] & left))
            left -= reach[trail]
            yield trail

    def _along(self, trail: _Trail) -> set[_Goal]:
        life, goals = Life.beginning(self._graph, _BEGINS), set[_Goal]()
        for happening in trail.happenings():
            life, steps = life.after(self._machine, happening)
            goals.update(_reached(happening, steps))
        return goals


def _taken(transition: Transition) -> _Goal:
    return _Goal(transition.id, source=transition.source, event=transition.event)


def _answers(graph: StateGraph) -> list[tuple[str, Answer]]:
    """Every answer to every effect that the graph declares."""
    return [(name, answer) for name in graph.effects for answer in ANSWERS.get(name, OF_HOSTS)]


def _reached(happening: Happening, steps: Iterable[Step]) -> Iterator[_Goal]:
    for step in steps:
        if step.transition is not None:
            yield _taken(step.transition)
    if happening.effect is not None and happening.answer is not None:
        yield _Goal(happening.effect, happening.answer)


def _walked(graph: StateGraph, machine: Machine, trail: _Trail) -> Path:
    life, taken = Life.beginning(graph, _BEGINS), list[Step]()
    for happening in trail.happenings():
        life, steps = life.after(machine, happening)
        taken += steps
    return Path(tuple(trail.happenings()), tuple(taken))


def _looks(life: Life) -> Hashable:
    """What rules may depend on. Lives that look alike go on alike, as far as one can tell."""
    conversation = life.conversation
    return (
        conversation.state,
        conversation.opening,
        conversation.conversation_id is None,
        min(conversation.outstanding, 2),
        min(conversation.spell_failed, 1),
        frozenset(_text(message, conversation.spell) for message in life.messages),
        tuple(_named(life, waiting) for waiting in life.lane[:2]),
        frozenset(_named(life, waiting) for waiting in life.beside),
        frozenset(_named(life, waiting) for waiting in life.dead),
    )


def _text(message: Message, spell: int) -> Hashable:
    parts = tuple(
        (
            min(len(part.attempts), 2),
            part.retry_at is not None,
            part.attempts[-1:] and part.attempts[-1].outcome,
        )
        for part in message.parts
    )
    failed_now = message.failed_in_spell == spell
    return (message.outbound, message.taken, message.settled, message.exhausted, failed_now, parts)


def _named(life: Life, waiting: Waiting) -> tuple[str, int | None]:
    number = waiting.effect.message
    return waiting.effect.name, None if number is None else life.ordinal(number)
