"""What all parts of a unit of work share: locked conversations, and what is yet to be written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sms_fsm.conversation import Conversation, Message
from sms_fsm.machine import Step
from sms_fsm.ports import Post
from sms_fsm.store.ahead import Remembered
from sms_fsm.store.buffer import Buffer
from sms_fsm.store.driver import Driver
from sms_fsm.store.rows import locked_conversation


@dataclass(slots=True)
class Held:
    """What the transaction knows of a conversation that it locked.

    ``released`` is the effect that this transaction took out of the lane's head; ``advancing``
    means that the lane needs a new head; ``changed`` that the row is to be written.
    """

    conversation: Conversation
    lane_head: str | None
    log_hash: str
    state_since: datetime | None = None
    released: str | None = None
    advancing: bool = False
    changed: bool = False


class Transaction:
    """One transaction; made by the store, thrown away with it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._buffer = Buffer()
        self._held: dict[str, Held] = {}
        self._pairs: dict[tuple[str, str, str], str] = {}
        self._messages: dict[tuple[str, int], Message] = {}
        self._keys: dict[str, Remembered | None] = {}
        self._posts: dict[str, Post] = {}
        self._leases: dict[str, int | None] = {}
        self._among_others = False
        self.steps: list[Step] = []

    def _hold(self, row: tuple[Any, ...]) -> Conversation:
        locked = locked_conversation(row)
        known = self._held.get(locked.conversation.id)
        if known is not None:
            return known.conversation
        held = Held(locked.conversation, locked.lane_head, locked.log_hash, locked.state_since)
        return self._keep(locked.conversation, held)

    def _keep(self, conversation: Conversation, held: Held) -> Conversation:
        self._held[conversation.id] = held
        pair = (conversation.customer, conversation.business, conversation.isolation)
        self._pairs[pair] = conversation.id
        return conversation

    def _flush(self) -> None:
        self._buffer.flush(self._driver)

    def _write_conversations(self, *, last: bool = False) -> None:
        """As they are so far; what changes afterwards is written at the end."""
        for held in self._held.values():
            if held.changed:
                self._write_conversation(held)
        self._buffer.flush(self._driver, last=last)

    def _write_conversation(self, held: Held) -> None:
        row = self._row(held)
        fresh = self._buffer.new_conversations.get(held.conversation.id)
        if fresh is None:
            self._buffer.changed_conversations.append(row)
        else:
            fresh.update(row)
        held.changed = False

    def _row(self, held: Held) -> dict[str, Any]:
        conversation = held.conversation
        return {
            "key": conversation.id,
            "state": conversation.state,
            "seq": conversation.seq,
            "conversation_id": conversation.conversation_id,
            "graph_version": conversation.graph_version,
            "graph_hash": conversation.graph_hash,
            "data": as_json(conversation.to_data()),
            "timer_due_at": self._driver.instant(conversation.timer_due_at),
            "lane_head": held.lane_head,
            "log_hash": held.log_hash,
            "state_since": self._driver.instant(held.state_since),
        }


def as_json(value: Any) -> str:
    """As the columns of type Json hold it."""
    return orjson.dumps(value).decode()
