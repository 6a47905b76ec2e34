"""What of a graph no log ever exercised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from sms_fsm.graph import StateGraph, Transition
from sms_fsm.machine import Step


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
    """What events of one graph did: how often each rule ran, what guards said, which states."""

    rules: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    answers: set[tuple[str, bool]] = field(default_factory=set)
    states: set[str] = field(default_factory=set)

    def add(self, step: Step) -> None:
        """One more event."""
        self.states.add(step.after.state)
        if step.asked:
            self.answers.update(step.asked)
        if step.transition is not None:
            self.rules[_key(step.transition)] += 1

    def merge(self, other: Self) -> None:
        self.rules.update(other.rules)
        self.answers |= other.answers
        self.states |= other.states

    def coverage(self, graph: StateGraph) -> Coverage:
        asked = dict.fromkeys(guard for move in graph.transitions for guard in move.guards)
        possible = [(guard, answer) for guard in asked for answer in (True, False)]
        return Coverage(
            id=graph.id,
            version=graph.version,
            file=graph.file,
            transitions=tuple(t for t in graph.transitions if _key(t) not in self.rules),
            guards=tuple(pair for pair in possible if pair not in self.answers),
            states=tuple(state for state in graph.states if state not in self.states),
        )


def _key(transition: Transition) -> tuple[str, str, str]:
    return transition.id, transition.source, transition.event
