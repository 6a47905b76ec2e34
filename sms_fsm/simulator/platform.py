"""The simulated platform's state: records in memory, changed by ledger entries and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sms_fsm.simulator.ledger import Entry, Ledger
from sms_fsm.simulator.records import (
    Changes,
    Conversation,
    Delivery,
    Late,
    Message,
    Sending,
    Session,
    Webhook,
)
from sms_fsm.simulator.wire import Refusal

Clock = Callable[[], datetime]


def real_clock() -> datetime:
    """The real time, in UTC."""
    return datetime.now(UTC)


class Platform:
    """All records. Hold ``lock`` for a read that must agree with a following ``commit``."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self.now = clock
        self.lock = threading.RLock()
        self.ledger = ledger
        self.conversations: dict[str, Conversation] = {}
        self.messages: dict[str, Message] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.sessions: dict[str, Session] = {}
        self.late: dict[str, Late] = {}
        self.awaiting_carrier: dict[str, None] = {}
        self.awaiting_receiver: dict[str, None] = {}
        self.looked_up: set[str] = set()
        self._awaiting_time: dict[str, None] = {}
        self._by_address: dict[str, dict[str, None]] = {}
        self._by_conversation: dict[str, dict[str, None]] = {}
        self._by_refresh: dict[str, Session] = {}
        for entry in ledger.entries:
            self._apply(entry.changes)

    def commit(self, entry: Entry) -> None:
        """Writes an entry to the ledger and makes its changes visible. Whoever then tells of it
        outside calls ``ledger.sync`` first, without holding the lock.
        """
        with self.lock:
            self.ledger.append(entry)
            self._apply(entry.changes)

    def conversation(self, conversation_id: str | None) -> Conversation:
        """The conversation of this id.

        Raises:
            Refusal: 404 not_found, also when it vanished.
        """
        found = self.conversations.get(conversation_id or "")
        if found is None or found.vanished:
            raise Refusal(404, "not_found", "there is no conversation with this id")
        return found

    def conversations_of(self, address: str) -> list[Conversation]:
        """Conversations with a participant of exactly this address, oldest first."""
        ids = list(self._by_address.get(address, ()))
        found = (self.conversations[one] for one in ids)
        return [c for c in found if not c.vanished and _has_participant(c, address)]

    def messages_of(self, conversation_id: str) -> list[Message]:
        """Messages of a conversation, oldest first."""
        return [self.messages[one] for one in list(self._by_conversation.get(conversation_id, ()))]

    def deliveries_of(self, conversation_id: str) -> list[Delivery]:
        """Delivery records of a conversation, oldest message first."""
        ids = list(self._by_conversation.get(conversation_id, ()))
        return [self.deliveries[one] for one in ids if one in self.deliveries]

    def outbound(self) -> int:
        """How many messages were posted to customers."""
        sent = (message for message in self.messages.values() if message.outbound)
        return sum(1 for message in sent if not message.internal)

    def session_of_refresh(self, digest: str) -> Session | None:
        """The session that a refresh token (its digest) belongs to."""
        return self._by_refresh.get(digest)

    def late_due(self) -> list[Late]:
        """Accepted calls whose time to take effect has come, earliest first."""
        waiting = [self.late[one] for one in self._awaiting_time]
        due = (late for late in waiting if late.due <= (real_clock if late.real else self.now)())
        return sorted(due, key=lambda late: late.due)

    def _apply(self, changes: Changes) -> None:
        self._index_conversations(changes.conversations)
        for message in changes.messages:
            self.messages[message.id] = message
            self._by_conversation.setdefault(message.conversation_id, {})[message.id] = None
        for delivery in changes.deliveries:
            self.deliveries[delivery.message_id] = delivery
            _keep(self.awaiting_carrier, delivery.message_id, bool(delivery.planned))
        for webhook in changes.webhooks:
            self.webhooks[webhook.id] = webhook
            _keep(self.awaiting_receiver, webhook.id, webhook.sending is Sending.PENDING)
        for session in changes.sessions:
            self.sessions[session.access] = self._by_refresh[session.refresh] = session
        for late in changes.late:
            self.late[late.id] = late
            _keep(self._awaiting_time, late.id, not late.done)
        self.looked_up.update(changes.looked_up)

    def _index_conversations(self, conversations: Iterable[Conversation]) -> None:
        for conversation in conversations:
            self.conversations[conversation.id] = conversation
            for participant in conversation.wire["participants"]:
                address = participant.get("address")
                if address:
                    self._by_address.setdefault(address, {})[conversation.id] = None


def _keep(waiting: dict[str, None], key: str, still: bool) -> None:  # noqa: FBT001 - one private use
    if still:
        waiting[key] = None
    else:
        waiting.pop(key, None)


def _has_participant(conversation: Conversation, address: str) -> bool:
    return any(p.get("address") == address for p in conversation.wire["participants"])
