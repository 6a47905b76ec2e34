"""Replays records one by one: recomputes each step and compares it with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sms_fsm.conversation import Conversation, Message
from sms_fsm.crossing import cross
from sms_fsm.effects import Lane
from sms_fsm.events import MIGRATED, Event
from sms_fsm.machine import Step
from sms_fsm.replay.comparing import Record, changed_effects, differences, rule_of
from sms_fsm.replay.coverage import Exercised
from sms_fsm.replay.lines import Entry, shown
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.replay.problems import ProblemCode
from sms_fsm.replay.shelf import Shelf
from sms_fsm.replay.tally import Tally
from sms_fsm.replay.verdicts import Bucket, Divergence
from sms_fsm.values import evolve

_MISFITS = (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError)
"""What folding and guards raise for event data that no engine wrote."""

_MISFIT = "the event's data are not those of such an event"
_NO_TEXT = "the event is about a text that the log never brought"
_UNKNOWN_GRAPH = "the log does not carry the graph of this event"


@dataclass(slots=True)
class Track:
    """One conversation on its way through the log.

    Args:
        conversation: as the records so far left it; of its texts it holds the last one's alone.
        messages: all its texts by number, settled ones too: late words may come for them.
        graph: hash of the graph that the last record names.
        machine: what events are replayed on, None if there is no such graph.
        exercised: where it is noted what they did there.
        names: what that graph calls the states of the log.
        touched: one of its records was altered, so that what follows may fit badly.
        lost: it cannot be followed any further.
        bucket: by the first event that came out otherwise; None before the first that was judged.
    """

    conversation: Conversation
    messages: dict[int, Message] = field(default_factory=dict)
    graph: str = ""
    machine: ReplayMachine | None = None
    exercised: Exercised = field(default_factory=Exercised)
    names: Mapping[str, str] = field(default_factory=dict)
    touched: bool = False
    lost: bool = False
    bucket: Bucket | None = None


class Judge:
    """Follows one conversation after the other, as recorded, and judges each event on its own.

    After an event that comes out otherwise the conversation goes on from the recorded state.
    """

    def __init__(self, shelf: Shelf, tally: Tally) -> None:
        self._shelf = shelf
        self._tally = tally
        self.track = Track(Conversation("", "", 0, "", "", ""))

    def begin(self, record: Record) -> None:
        """The first record of a conversation comes next."""
        self.close()
        self.track = Track(Conversation(record["conversation"], "", 0, "", "", ""))
        self._turn_to(record["graph"])
        machine = self.track.machine
        state = machine.graph.initial if machine else record["source"]
        self.track.exercised.states.add(state)
        self.track.conversation = evolve(
            self.track.conversation, state=state, graph_hash=record["graph"]
        )

    def close(self) -> None:
        """The conversation is complete."""
        if self.track.bucket is not None:
            self._tally.buckets[self.track.bucket] += 1

    def judge(self, entry: Entry) -> None:
        """Replay one record and count what comes of it."""
        track = self.track
        track.touched = track.touched or entry.altered
        if entry.record["graph"] != track.graph or entry.begins:
            self._check_graph(entry)
        if track.machine is None or track.lost:
            track.lost = True
            return
        try:
            self._replay(track.machine, entry)
        except _MISFITS:
            self._misfit(entry, _MISFIT)

    # Graphs

    def _check_graph(self, entry: Entry) -> None:
        behaviour_hash = entry.record["graph"]
        if self._shelf.knows(behaviour_hash):
            self._turn_to(behaviour_hash)
        elif not entry.altered:
            self._tally.report(entry.problem(ProblemCode.UNKNOWN_GRAPH, _UNKNOWN_GRAPH))
            self.track.graph = behaviour_hash

    def _turn_to(self, behaviour_hash: str) -> None:
        track = self.track
        track.graph = behaviour_hash
        track.machine = self._shelf.machine(behaviour_hash)
        track.names = self._shelf.renamed(behaviour_hash)
        if track.machine is not None:
            track.exercised = self._tally.of_graph(track.machine.graph.behaviour_hash)

    # Events

    def _replay(self, machine: ReplayMachine, entry: Entry) -> None:
        record = entry.record
        event = Event(record["name"], datetime.fromisoformat(record["at"]), record["data"])
        before = self._before(event, record)
        if event.name == MIGRATED:
            self._migrate(machine, entry, before, event)
            return
        if entry.altered:
            self._keep(self._followed(machine, record, before, event))
            return
        if event.message is not None and not before.messages:
            self._misfit(entry, _NO_TEXT)
            return
        step = machine.step(before, event)
        if self._comes_out(machine, entry, step, machine):
            self._keep(step.after)
        else:
            self._keep(self._followed(machine, record, before, event))

    def _migrate(
        self, machine: ReplayMachine, entry: Entry, before: Conversation, event: Event
    ) -> None:
        """It goes on on another graph; a candidate is what all events run on anyway."""
        self._turn_to(event.data["to_hash"])
        arrival = self.track.machine
        if arrival is None:
            self._tally.report(entry.problem(ProblemCode.UNKNOWN_GRAPH, _UNKNOWN_GRAPH))
            self.track.lost = True
            return
        after = arrival.follow(before, event, self._named(entry.record["target"]), ())
        after = evolve(after, graph_hash=self.track.graph)
        if self._shelf.exact and not entry.altered:
            step = cross(before, event, machine.graph, arrival.graph)
            after = step.after if self._comes_out(machine, entry, step, arrival) else after
        elif not entry.altered:
            self._tally.judged += 1
        self._keep(after)

    def _comes_out(
        self, machine: ReplayMachine, entry: Entry, step: Step, arrival: ReplayMachine
    ) -> bool:
        """Whether a step is as recorded; ``arrival`` is the graph that it ends on."""
        self._tally.judged += 1
        self.track.exercised.add(step)
        self.track.bucket = self.track.bucket or Bucket.SAME
        differing = self._differing(machine, entry.record, step, arrival)
        if differing:
            self._diverge(_divergence(machine, entry, step, differing))
        return not differing

    def _named(self, state: str) -> str:
        return self.track.names.get(state, state)

    def _before(self, event: Event, record: Record) -> Conversation:
        """The conversation as the engine loads it for an event: with the text it is about."""
        number = event.message
        message = None if number is None else self.track.messages.get(number)
        return evolve(
            self.track.conversation,
            state=self._named(record["source"]),
            graph_hash=record["graph"],
            messages=() if message is None else (message,),
        )

    def _differing(
        self, machine: ReplayMachine, record: Record, step: Step, arrival: ReplayMachine
    ) -> tuple[str, ...]:
        target, exact = self._named(record["target"]), self._shelf.exact
        found = differences(record, step, target, exact=exact)
        before, former = step.before, self.track.conversation
        if before.state not in machine.graph.states or target not in arrival.graph.states:
            found = ("states", *found)
        if exact and not self.track.touched:
            if before.state != former.state:
                found = ("source", *found)
            if before.graph_hash != former.graph_hash:
                found = ("graph", *found)
        return found

    def _followed(
        self, machine: ReplayMachine, record: Record, before: Conversation, event: Event
    ) -> Conversation:
        """The conversation as the record says that it went on."""
        if record["refused"]:
            return machine.pass_over(before)
        lanes = [Lane(effect["lane"]) for effect in record["effects"]]
        return machine.follow(before, event, self._named(record["target"]), lanes)

    def _keep(self, after: Conversation) -> None:
        for message in after.messages:
            self.track.messages[message.seq] = message
        self.track.conversation = after

    def _diverge(self, divergence: Divergence) -> None:
        """The first event that leads elsewhere decides; effects count while none does."""
        former = self.track.bucket
        if former in (Bucket.SAME, Bucket.OTHER_EFFECTS):
            self.track.bucket = divergence.bucket
        decides = self.track.bucket is not former
        self._tally.diverge(divergence, listed=decides or self._shelf.exact)

    def _misfit(self, entry: Entry, reason: str) -> None:
        """An event that cannot have happened; after a touched record that is no wonder."""
        if not self.track.touched:
            self._tally.report(entry.problem(ProblemCode.IMPOSSIBLE, reason))
        self.track.lost = True


def _divergence(
    machine: ReplayMachine, entry: Entry, step: Step, differing: tuple[str, ...]
) -> Divergence:
    record, graph = entry.record, machine.graph
    added, removed = changed_effects(record, step)
    rule, mark = rule_of(graph, record, step)
    return Divergence(
        line=entry.line,
        conversation=shown(record["conversation"]) or "",
        seq=record["seq"],
        event=record["name"],
        bucket=_bucket(differing, step),
        differs=differing,
        source=record["source"],
        expected=record["target"],
        actual=step.after.state if step.before.state in graph.states else None,
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
