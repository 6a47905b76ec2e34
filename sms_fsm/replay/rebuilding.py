"""Folds a stored log and compares the result with what is stored beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sms_fsm.conversation import Conversation, Message
from sms_fsm.crossing import cross
from sms_fsm.errors import LogError
from sms_fsm.events import MIGRATED
from sms_fsm.log import sealed
from sms_fsm.registry import Registry
from sms_fsm.replay.following import MISFITS, Follower, event_of, followed
from sms_fsm.replay.lines import Entry, GraphLine
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.replay.problems import LogProblem
from sms_fsm.replay.reading import LogItem, read_log
from sms_fsm.replay.shelf import Shelf
from sms_fsm.replay.tally import MOST_LISTED

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """What a store holds of one conversation, all of one moment.

    Args:
        columns: what it keeps in columns of their own (state, seq, graph_hash, conversation_id,
            timer_due_at, log_hash); None if there are events alone.
        data: as `Conversation.to_data` gave it.
        messages: as `Message.to_data` gave them, by number.
        log: records and hashes of all events, oldest first.
    """

    id: str
    columns: Json | None
    data: Json
    messages: Mapping[int, Json]
    log: Sequence[tuple[str, str]]


class StoredLog(Protocol):
    """A store, as far as it is rebuilt."""

    def graphs(self) -> Sequence[tuple[str, int, str, str]]:
        """Id, version, behaviour hash and document of every graph that was ever used."""
        ...

    def conversations(self) -> Iterator[StoredConversation]:
        """Every conversation, and all events that belong to none."""
        ...


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is stored otherwise than the log gives it.

    Args:
        field: such as ``state``, ``data.outstanding`` or ``message 4.status``; ``log`` if the log
            itself is wrong, ``graph`` if a graph is.
        stored, folded: as the store has it, and as it should be.
    """

    conversation: str
    field: str
    stored: Any
    folded: Any


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """The result of `rebuild`.

    Args:
        drifts: the first of them; ``drifted`` is the number of all.
    """

    conversations: int
    events: int
    drifts: tuple[Drift, ...]
    drifted: int

    @property
    def clean(self) -> bool:
        """The store is what its log says."""
        return self.drifted == 0


def rebuild(stored: StoredLog, *, registry: Registry | None = None) -> RebuildReport:
    """Fold the log of every stored conversation and compare; nothing is written."""
    shelf = Shelf(registry or Registry())
    drifts = list(_unusable(stored, shelf))
    conversations = events = 0
    drifted = len(drifts)
    for conversation in stored.conversations():
        found = list(_drifts(conversation, shelf))
        drifts += found[: MOST_LISTED - len(drifts)]
        drifted += len(found)
        conversations += 1
        events += len(conversation.log)
    return RebuildReport(conversations, events, tuple(drifts), drifted)


def _unusable(stored: StoredLog, shelf: Shelf) -> Iterator[Drift]:
    for identity, version, behaviour_hash, document in stored.graphs():
        problem = shelf.add(GraphLine(0, identity, version, behaviour_hash, document))
        if problem is not None:
            yield Drift("", "graph", f"version {version}", problem.reason)


def _drifts(stored: StoredConversation, shelf: Shelf) -> Iterator[Drift]:
    follower, seal = Follower("", "", ""), ""
    try:
        for item in _read(stored):
            if isinstance(item, Entry):
                follower.keep(_fold(item, follower, shelf))
                seal = item.record.hash
            elif isinstance(item, LogProblem):
                yield Drift(stored.id, "log", f"event {item.seq}", item.reason)
    except LogError as error:
        yield Drift(stored.id, "log", f"event {error.line}", error.reason)
        return
    if stored.columns is None:
        yield Drift(stored.id, "conversation", None, f"{len(stored.log)} events")
        return
    yield from _compared(stored.id, stored.columns, _columns(follower.conversation, seal))
    yield from _compared(stored.id, _data(stored.data), follower.conversation.to_data(), "data.")
    yield from _texts(stored, follower)


def _read(stored: StoredConversation) -> Iterator[LogItem]:
    """The stored records as an export would write them."""
    count = len(stored.log)
    lines = (
        sealed(record, seal, last=1 if number == count else None)
        for number, (record, seal) in enumerate(stored.log, 1)
    )
    return read_log(lines, whole=False) if count else iter(())


def _fold(entry: Entry, follower: Follower, shelf: Shelf) -> Conversation:
    record = entry.record
    try:
        event = event_of(record)
        before = follower.before(event, record.source, record.graph)
        machine = _machine(shelf, record.graph)
        if event.name != MIGRATED:
            return followed(machine, record, before, event, record.target)
        arrival = _machine(shelf, event.data["to_hash"])
        return cross(before, event, machine.graph, arrival.graph).after
    except MISFITS:
        raise LogError(entry.record.seq, "it cannot be folded") from None


def _machine(shelf: Shelf, behaviour_hash: str) -> ReplayMachine:
    machine = shelf.machine(behaviour_hash)
    if machine is None:
        raise LookupError(behaviour_hash)
    return machine


def _columns(folded: Conversation, seal: str) -> Json:
    return {
        "state": folded.state,
        "seq": folded.seq,
        "graph_hash": folded.graph_hash,
        "conversation_id": folded.conversation_id,
        "timer_due_at": folded.timer_due_at,
        "log_hash": seal,
    }


def _texts(stored: StoredConversation, follower: Follower) -> Iterator[Drift]:
    for seq in sorted(stored.messages.keys() | follower.messages.keys()):
        data, message = stored.messages.get(seq), follower.messages.get(seq)
        if data is None or message is None:
            there = (None if data is None else "a text", None if message is None else "a text")
            yield Drift(stored.id, f"message {seq}", *there)
        else:
            yield from _compared(
                stored.id, _text_data(seq, data), message.to_data(), f"message {seq}."
            )


def _data(data: Json) -> Json:
    """As this release writes it; an older one may have left fields out."""
    try:
        return Conversation("", "", 0, "", "", "").with_data(data).to_data()
    except MISFITS:
        return data


def _text_data(seq: int, data: Json) -> Json:
    try:
        return Message.from_data(seq, data).to_data()
    except MISFITS:
        return data


def _compared(identity: str, stored: Json, folded: Json, prefix: str = "") -> Iterator[Drift]:
    for name in sorted(stored.keys() | folded.keys()):
        if stored.get(name) != folded.get(name):
            yield Drift(identity, f"{prefix}{name}", stored.get(name), folded.get(name))
