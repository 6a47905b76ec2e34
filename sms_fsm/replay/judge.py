"""Replays records one by one: recomputes each step and compares it with what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Lane
from sms_fsm.events import Event
from sms_fsm.machine import Step
from sms_fsm.replay.comparing import Record, changed_effects, differences, rule_of
from sms_fsm.replay.lines import shown
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.replay.problems import LogProblem, ProblemCode
from sms_fsm.replay.reading import Entry
from sms_fsm.replay.shelf import Shelf
from sms_fsm.replay.verdicts import Bucket, Divergence

_MISFITS = (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError)
"""What folding and guards raise for event data that no engine wrote."""

_MISFIT = "the event's data are not those of such an event"
_NO_TEXT = "the event is about a text that the log never brought"
_UNKNOWN_GRAPH = "the log does not carry the graph of this event"


@dataclass(slots=True)
class Track:
    """One conversation on its way through the log.

    Args:
        conversation: as the records so far left it, without its texts.
        messages: all its texts by number, settled ones too: late words may come for them.
        machine: what it was last replayed on.
        bucket: by the first event that came out otherwise.
    """

    conversation: Conversation
    messages: dict[int, Message] = field(default_factory=dict)
    machine: ReplayMachine | None = None
    bucket: Bucket = Bucket.SAME


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one record.

    Args:
        machine, step: how it was replayed; None where it could not be.
        decides: it is this divergence that put the conversation into its bucket.
    """

    machine: ReplayMachine | None = None
    step: Step | None = None
    divergence: Divergence | None = None
    decides: bool = False
    problem: LogProblem | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A record made ready for a machine; the states are in the words of its graph."""

    entry: Entry
    event: Event
    before: Conversation
    target: str

    @property
    def record(self) -> Record:
        return self.entry.record


class Judge:
    """Follows one conversation after the other, as recorded, and judges each event on its own.

    After an event that comes out otherwise the conversation goes on from the recorded state.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.track = Track(Conversation("", "", 0, "", "", ""))

    def begin(self, record: Record) -> None:
        """The first record of a conversation comes next."""
        machine = self._shelf.machine(record["graph"])
        state = machine.graph.initial if machine else record["source"]
        self.track = Track(Conversation(record["conversation"], state, 0, "", "", ""))

    def judge(self, entry: Entry) -> Judgement:
        """What a record's event does on its graph, next to what it did."""
        problem = self._stranger(entry)
        machine = self._shelf.machine(entry.record["graph"]) or self.track.machine
        if machine is None:
            return Judgement(problem=problem)
        self.track.machine = machine
        try:
            judgement = self._replay(machine, entry)
        except _MISFITS:
            judgement = self._misfit(entry)
        return judgement if problem is None else replace(judgement, problem=problem)

    def _stranger(self, entry: Entry) -> LogProblem | None:
        """A graph that the log does not carry, told once for each conversation."""
        behaviour_hash = entry.record["graph"]
        news = behaviour_hash != self.track.conversation.graph_hash
        self.track.conversation = replace(self.track.conversation, graph_hash=behaviour_hash)
        if not news or not self._shelf.exact or self._shelf.holds(behaviour_hash):
            return None
        return _problem(entry, ProblemCode.UNKNOWN_GRAPH, _UNKNOWN_GRAPH)

    def _replay(self, machine: ReplayMachine, entry: Entry) -> Judgement:
        case = self._case(entry)
        step = machine.step(case.before, case.event)
        differing = self._differing(machine, case, step)
        problem = None
        if case.event.message is not None and not case.before.messages:
            problem = _problem(entry, ProblemCode.IMPOSSIBLE, _NO_TEXT)
        if not differing:
            self._keep(step.after)
            return Judgement(machine, step, problem=problem)
        self._keep(_followed(machine, case))
        divergence = _divergence(machine, case, step, differing)
        return Judgement(machine, step, divergence, self._decides(divergence.bucket), problem)

    def _case(self, entry: Entry) -> _Case:
        """The conversation as the engine loads it for an event: with the text it is about."""
        record = entry.record
        names = self._shelf.renamed(record["graph"])
        event = Event(record["name"], datetime.fromisoformat(record["at"]), record["data"])
        message = None if event.message is None else self.track.messages.get(event.message)
        before = replace(
            self.track.conversation,
            state=names.get(record["source"], record["source"]),
            messages=() if message is None else (message,),
        )
        return _Case(entry, event, before, names.get(record["target"], record["target"]))

    def _differing(self, machine: ReplayMachine, case: _Case, step: Step) -> tuple[str, ...]:
        found = differences(case.record, step, case.target, exact=self._shelf.exact)
        if not {case.before.state, case.target} <= machine.graph.states.keys():
            found = ("states", *found)
        if self._shelf.exact and case.before.state != self.track.conversation.state:
            found = ("source", *found)
        return found

    def _keep(self, after: Conversation) -> None:
        self.track.messages |= {message.seq: message for message in after.messages}
        self.track.conversation = after

    def _misfit(self, entry: Entry) -> Judgement:
        record = entry.record
        self.track.conversation = replace(
            self.track.conversation, seq=record["seq"], state=record["target"]
        )
        return Judgement(problem=_problem(entry, ProblemCode.IMPOSSIBLE, _MISFIT))

    def _decides(self, bucket: Bucket) -> bool:
        """The first event that leads elsewhere decides; effects count while none does."""
        former = self.track.bucket
        if former in (Bucket.SAME, Bucket.OTHER_EFFECTS):
            self.track.bucket = bucket
        return self.track.bucket is not former


def _followed(machine: ReplayMachine, case: _Case) -> Conversation:
    """The conversation as the record says that it went on."""
    if case.record["refused"]:
        return machine.pass_over(case.before)
    lanes = [Lane(effect["lane"]) for effect in case.record["effects"]]
    return machine.follow(case.before, case.event, case.target, lanes)


def _divergence(
    machine: ReplayMachine, case: _Case, step: Step, differing: tuple[str, ...]
) -> Divergence:
    record, graph = case.record, machine.graph
    added, removed = changed_effects(record, step)
    rule, mark = rule_of(graph, record, step)
    return Divergence(
        line=case.entry.line,
        conversation=shown(record["conversation"]) or "",
        seq=record["seq"],
        event=record["name"],
        bucket=_bucket(differing, step),
        differs=differing,
        source=record["source"],
        expected=record["target"],
        actual=step.after.state if case.before.state in graph.states else None,
        rule=rule,
        file=graph.file,
        yaml_line=mark.line if mark else None,
        added=tuple(added.elements()),
        removed=tuple(removed.elements()),
    )


def _bucket(differing: tuple[str, ...], step: Step) -> Bucket:
    if "states" in differing:
        return Bucket.STATE_MISSING
    if step.refused and "refused" in differing:
        return Bucket.REFUSED
    effects_alone = {"effects", "cancelled"} >= set(differing)
    return Bucket.OTHER_EFFECTS if effects_alone else Bucket.DIVERGED


def _problem(entry: Entry, code: ProblemCode, reason: str) -> LogProblem:
    record = entry.record
    return LogProblem(entry.line, shown(record["conversation"]), record["seq"], code, reason)
