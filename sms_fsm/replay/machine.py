"""The machine of replay: the same steps, and a way to follow a record that decided otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sms_fsm.actions import Action
from sms_fsm.conversation import Conversation
from sms_fsm.effects import Lane, PlannedEffect
from sms_fsm.events import Event
from sms_fsm.fold import fold
from sms_fsm.graph import StateGraph, Transition
from sms_fsm.guards import Guard
from sms_fsm.machine import Asked, Choice, Machine
from sms_fsm.values import evolve

_Way = tuple[Any, tuple[str, bool]] | None
"""The answers that lead to a place, the last one outermost: places share what leads to them."""


class _Question:
    """A guard that has to be asked; ``number`` is its place in its rule."""

    __slots__ = ("guard", "name", "no", "number", "rule", "rules", "way", "yes")

    def __init__(
        self, rules: Sequence[Transition], rule: int, number: int, way: _Way, guard: Guard
    ) -> None:
        self.rules = rules
        self.rule = rule
        self.number = number
        self.way = way
        self.guard = guard
        self.name = rules[rule].guards[number]
        self.yes: _Question | Choice | None = None
        self.no: _Question | Choice | None = None


class ReplayMachine(Machine):
    """A graph made executable, faster than by `transitions`: what its rules say is a tree.

    Its leaves are shared by all events that go the same way. A test holds both machines to the
    same steps, on any graph.
    """

    def __init__(
        self, graph: StateGraph, guards: Mapping[str, Guard], actions: Mapping[str, Action]
    ) -> None:
        super().__init__(graph, guards, actions)
        self._guards = guards
        self._unheard = self._chosen(None, ())
        moves: dict[tuple[str, str], list[Transition]] = {}
        for move in graph.transitions:
            moves.setdefault((move.source, move.event), []).append(move)
        self._trees = {place: self._grown(rules, 0, 0, None) for place, rules in moves.items()}

    def _choice(self, folded: Conversation, event: Event) -> Choice:
        node = self._trees.get((folded.state, event.name), self._unheard)
        while isinstance(node, _Question):
            answer = node.guard(folded, event)
            node = (node.yes if answer else node.no) or self._answered(node, answer=answer)
        return node

    def _answered(self, question: _Question, *, answer: bool) -> _Question | Choice:
        """What follows from an answer that was not given here before."""
        way = (question.way, (question.name, answer))
        if answer:
            question.yes = self._grown(question.rules, question.rule, question.number + 1, way)
            return question.yes
        question.no = self._grown(question.rules, question.rule + 1, 0, way)
        return question.no

    def _grown(
        self, rules: Sequence[Transition], rule: int, number: int, way: _Way
    ) -> _Question | Choice:
        """The next question, unless the rules have come to an end or one applies."""
        if rule == len(rules):
            return self._chosen(None, _asked(way))
        guards = rules[rule].guards
        if number == len(guards):
            return self._chosen(rules[rule], _asked(way))
        return _Question(rules, rule, number, way, self._guards[guards[number]])

    def follow(
        self, conversation: Conversation, event: Event, target: str, lanes: Sequence[Lane]
    ) -> Conversation:
        """The conversation after an event that led to ``target`` and planned into ``lanes``.

        Both are what a record says, not what the graph does.
        """
        folded = fold(conversation, event, self.graph.policies)
        if target not in self.graph.states:
            return evolve(folded, seq=conversation.seq + 1, state=target)
        planned = [PlannedEffect("", lane) for lane in lanes]
        return evolve(folded, **self._arrival(folded, event, target, planned))

    @staticmethod
    def pass_over(conversation: Conversation) -> Conversation:
        """The conversation after a command that was refused."""
        return evolve(conversation, seq=conversation.seq + 1)


def _asked(way: _Way) -> Asked:
    asked = []
    while way is not None:
        way, answer = way
        asked.append(answer)
    return tuple(reversed(asked))
