"""The machine of replay: the same steps, and a way to follow a record that decided otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sms_fsm.actions import Action
from sms_fsm.conversation import Conversation
from sms_fsm.effects import Lane, PlannedEffect
from sms_fsm.events import Event
from sms_fsm.fold import fold
from sms_fsm.graph import StateGraph
from sms_fsm.guards import Guard
from sms_fsm.machine import Machine, Subject
from sms_fsm.values import evolve


class ReplayMachine(Machine):
    """A graph made executable; rules are tried from a table, which is faster than `transitions`.

    A test holds both to the same steps.
    """

    def __init__(
        self, graph: StateGraph, guards: Mapping[str, Guard], actions: Mapping[str, Action]
    ) -> None:
        super().__init__(graph, guards, actions)
        self._rules = {
            (move.source, move.event): [
                (rule, [(name, guards[name]) for name in rule.guards])
                for rule in graph.outgoing(move.source, move.event)
            ]
            for move in graph.transitions
        }

    def _fire(self, subject: Subject) -> None:
        for rule, guards in self._rules.get((subject.state, subject.event.name), ()):
            if _allowed(subject, guards):
                subject.chosen, subject.state = rule, rule.target
                return

    def follow(
        self, conversation: Conversation, event: Event, target: str, lanes: Sequence[Lane]
    ) -> Conversation:
        """The conversation after an event that led to ``target`` and planned into ``lanes``.

        Both are what a record says, not what the graph does.
        """
        folded = fold(conversation, event, self.graph.policies)
        if target not in self.graph.states:
            return evolve(folded, seq=conversation.seq + 1, state=target)
        subject = Subject(folded, event)
        subject.state = target
        return self._arrive(conversation, subject, tuple(PlannedEffect("", lane) for lane in lanes))

    @staticmethod
    def pass_over(conversation: Conversation) -> Conversation:
        """The conversation after a command that was refused."""
        return evolve(conversation, seq=conversation.seq + 1)


def _allowed(subject: Subject, guards: Sequence[tuple[str, Guard]]) -> bool:
    for name, guard in guards:
        answer = guard(subject.conversation, subject.event)
        subject.asked.append((name, answer))
        if not answer:
            return False
    return True
