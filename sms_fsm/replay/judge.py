"""Replays records one by one: recomputes each step and compares it with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sms_fsm.conversation import Conversation
from sms_fsm.crossing import cross
from sms_fsm.events import MIGRATED, Event
from sms_fsm.graph import StateGraph
from sms_fsm.machine import Step
from sms_fsm.replay.comparing import agrees, differences, divergence
from sms_fsm.replay.coverage import Exercised
from sms_fsm.replay.following import MISFITS, Follower, event_of, followed
from sms_fsm.replay.lines import Entry, Record
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.replay.problems import ProblemCode
from sms_fsm.replay.shelf import Shelf
from sms_fsm.replay.tally import Tally
from sms_fsm.replay.verdicts import Bucket, Divergence
from sms_fsm.values import evolve

_MISFIT = "the event's data are not those of such an event"
_NO_TEXT = "the event is about a text that the log never brought"
_UNKNOWN_GRAPH = "the log does not carry the graph of this event"


@dataclass(slots=True)
class Track:
    """One conversation on its way through the log.

    Args:
        follower: how the records so far left it.
        graph: hash of the graph that the last record names.
        machine: what events are replayed on, None if there is no such graph.
        exercised: where it is noted what they did there.
        names: what that graph calls the states of the log.
        touched: one of its records was altered, so that what follows may fit badly.
        lost: it cannot be followed any further.
        bucket: by the first event that came out otherwise; None before the first that was judged.
    """

    follower: Follower
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
        self._exact = shelf.exact
        self._tally = tally
        self.track = Track(Follower("", "", ""))

    def begin(self, record: Record) -> None:
        """The first record of a conversation comes next."""
        self.close()
        self.track = Track(Follower(record.conversation, record.source, record.graph))
        self._turn_to(record.graph)
        machine = self.track.machine
        if machine is not None:
            self.track.exercised.states.add(machine.graph.initial)
            self.track.follower.begin(machine.graph.initial)

    def close(self) -> None:
        """The conversation is complete."""
        if self.track.bucket is not None:
            self._tally.buckets[self.track.bucket] += 1

    def judge(self, entry: Entry) -> None:
        """Replay one record, if it can be, and count what comes of it."""
        self._tally.events += 1
        if entry.begins:
            self.begin(entry.record)
        if entry.record.last is True:
            self._tally.unnumbered += 1
        if entry.sound:
            self._judge(entry)

    def _judge(self, entry: Entry) -> None:
        track = self.track
        track.touched = track.touched or entry.altered
        if entry.record.graph != track.graph or entry.begins:
            self._check_graph(entry)
        if track.machine is None or track.lost:
            track.lost = True
            return
        try:
            self._replay(track.machine, entry)
        except MISFITS:
            self._misfit(entry, _MISFIT)

    # Graphs

    def _check_graph(self, entry: Entry) -> None:
        behaviour_hash = entry.record.graph
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
        track, record = self.track, entry.record
        event = event_of(record)
        before = track.follower.before(event, self._named(record.source), record.graph)
        if event.name == MIGRATED:
            self._migrate(machine, entry, before, event)
        elif entry.altered:
            self._follow(machine, record, before, event)
        elif event.message is not None and not before.messages:
            self._misfit(entry, _NO_TEXT)
        else:
            step = machine.step(before, event)
            if self._comes_out(machine, entry, step, machine):
                track.follower.keep(step.after)
            else:
                self._follow(machine, record, before, event)

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
        after = arrival.follow(before, event, self._named(entry.record.target), ())
        after = evolve(after, graph_hash=self.track.graph)
        if self._exact and not entry.altered:
            step = cross(before, event, machine.graph, arrival.graph)
            after = step.after if self._comes_out(machine, entry, step, arrival) else after
        elif not entry.altered:
            self._tally.judged += 1
        self.track.follower.keep(after)

    def _comes_out(
        self, machine: ReplayMachine, entry: Entry, step: Step, arrival: ReplayMachine
    ) -> bool:
        """Whether a step is as recorded; ``arrival`` is the graph that it ends on."""
        track, record = self.track, entry.record
        self._tally.judged += 1
        track.exercised.add(step)
        if track.bucket is None:
            track.bucket = Bucket.SAME
        target = self._named(record.target)
        misplaced = self._misplaced(step.before, target, machine.graph, arrival.graph)
        if not misplaced and agrees(record, step, target, exact=self._exact):
            return True
        differing = (*misplaced, *differences(record, step, target, exact=self._exact))
        self._diverge(divergence(machine, entry, step, differing))
        return False

    def _misplaced(
        self, before: Conversation, target: str, start: StateGraph, end: StateGraph
    ) -> tuple[str, ...]:
        """Whether the conversation was elsewhere before, or states are unknown to the graphs."""
        former = self.track.follower.conversation
        known = before.state in start.states and target in end.states
        if known and before.state == former.state and before.graph_hash == former.graph_hash:
            return ()
        moved = self._exact and not self.track.touched
        wrong = {
            "graph": moved and before.graph_hash != former.graph_hash,
            "source": moved and before.state != former.state,
            "states": not known,
        }
        return tuple(name for name, found in wrong.items() if found)

    def _named(self, state: str) -> str:
        names = self.track.names
        return names.get(state, state) if names else state

    def _follow(
        self, machine: ReplayMachine, record: Record, before: Conversation, event: Event
    ) -> None:
        target = self._named(record.target)
        self.track.follower.keep(followed(machine, record, before, event, target))

    def _diverge(self, divergence: Divergence) -> None:
        """The first event that leads elsewhere decides; effects count while none does."""
        former = self.track.bucket
        if former in (Bucket.SAME, Bucket.OTHER_EFFECTS):
            self.track.bucket = divergence.bucket
        decides = self.track.bucket is not former
        self._tally.diverge(divergence, listed=decides or self._exact)

    def _misfit(self, entry: Entry, reason: str) -> None:
        """An event that cannot have happened; after a touched record that is no wonder."""
        if not self.track.touched:
            self._tally.report(entry.problem(ProblemCode.IMPOSSIBLE, reason))
        self.track.lost = True
