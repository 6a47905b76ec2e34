"""What of a graph no log ever exercised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from sms_fsm.graph import StateGraph, Transition
from sms_fsm.machine import Asked, Step

_Rule = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The gaps of one graph.

    Args:
        file: what divergences call the graph.
        transitions: those that no event took, in the document's order.
        guards: answers that were never given: (guard, answer).
        states: those that no conversation was in.
    """

    id: str
    version: int
    file: str
    transitions: tuple[Transition, ...]
    guards: tuple[tuple[str, bool], ...]
    states: tuple[str, ...]


@dataclass(slots=True)
class Exercised:
    """What events of one graph did: the ways that they went, each once, and the states."""

    ways: set[tuple[_Rule | None, Asked, str]] = field(default_factory=set)
    states: set[str] = field(default_factory=set)

    def add(self, step: Step) -> None:
        """One more event."""
        rule = None if step.transition is None else _key(step.transition)
        self.ways.add((rule, step.asked, step.after.state))

    def merge(self, other: Self) -> None:
        self.ways |= other.ways
        self.states |= other.states

    def coverage(self, graph: StateGraph) -> Coverage:
        rules = {rule for rule, _, _ in self.ways}
        answers = {pair for _, asked, _ in self.ways for pair in asked}
        states = self.states.union(state for _, _, state in self.ways)
        asked = dict.fromkeys(guard for move in graph.transitions for guard in move.guards)
        possible = [(guard, answer) for guard in asked for answer in (True, False)]
        return Coverage(
            id=graph.id,
            version=graph.version,
            file=graph.file,
            transitions=tuple(t for t in graph.transitions if _key(t) not in rules),
            guards=tuple(pair for pair in possible if pair not in answers),
            states=tuple(state for state in graph.states if state not in states),
        )


def _key(transition: Transition) -> _Rule:
    return transition.id, transition.source, transition.event
