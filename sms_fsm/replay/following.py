"""Follows a conversation through its records, whatever a graph would have decided."""

from __future__ import annotations

from datetime import datetime

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Lane
from sms_fsm.events import Event
from sms_fsm.replay.lines import Record
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.values import evolve, finish

_instant = datetime.fromisoformat

MISFITS = (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError)
"""What folding and guards raise for event data that no engine wrote."""


class Follower:
    """One conversation as the records so far left it.

    ``conversation`` holds the text alone that the last event was about; ``messages`` all of them
    by number, settled ones too, because late words may come for them.
    """

    __slots__ = ("conversation", "messages")

    def __init__(self, identity: str, state: str, behaviour_hash: str) -> None:
        self.conversation = Conversation(identity, state, 0, behaviour_hash, "", "")
        self.messages: dict[int, Message] = {}

    def begin(self, state: str) -> None:
        """Its first event comes in this state."""
        self.conversation = evolve(self.conversation, state=state)

    def before(self, event: Event, state: str, behaviour_hash: str) -> Conversation:
        """The conversation as the engine loads it for an event: with the text it is about."""
        number, former = event.message, self.conversation
        message = None if number is None else self.messages.get(number)
        loaded = () if message is None else (message,)
        if former.state == state and former.graph_hash == behaviour_hash:
            # Nobody else holds it, and only its maker will know that it was unloaded.
            return former if _same(former.messages, message) else finish(former, messages=loaded)
        return evolve(former, state=state, graph_hash=behaviour_hash, messages=loaded)

    def keep(self, after: Conversation) -> None:
        """It is like this now."""
        for message in after.messages:
            self.messages[message.seq] = message
        self.conversation = after


def _same(loaded: tuple[Message, ...], message: Message | None) -> bool:
    """Whether this text is loaded and no other."""
    if message is None:
        return not loaded
    return len(loaded) == 1 and loaded[0] is message


def event_of(record: Record) -> Event:
    """The event of a record."""
    return Event(record.name, _instant(record.at), record.data)


def followed(
    machine: ReplayMachine, record: Record, before: Conversation, event: Event, target: str
) -> Conversation:
    """The conversation as the record says that it went on; ``target`` in the graph's words."""
    if record.refused:
        return machine.pass_over(before)
    lanes = [Lane(effect["lane"]) for effect in record.effects]
    return machine.follow(before, event, target, lanes)
