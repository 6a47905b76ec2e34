"""One engine, one CXone simulator and a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sms_fsm import (
    Conversation,
    DeliveryStatus,
    Engine,
    FailedMessage,
    InboundMessage,
    Message,
    Receipt,
    Registry,
    Settings,
)
from sms_fsm.simulator import Simulator

CUSTOMER = "+15551234567"
BUSINESS = "+18885550100"
QUEUE = "queue_sms_support_01"


class MovingClock:
    """The present of a test; it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> None:
        self.now += timedelta(seconds=seconds, hours=hours, days=days)


class World:
    """An engine against the simulator, on a moved clock.

    ``engine`` is one engine; `another_engine` opens more on the same store.
    """

    def __init__(
        self,
        database_url: str,
        url: str,
        simulator: Simulator,
        clock: MovingClock,
        *,
        fallback: Callable[[FailedMessage], None] | None = None,
        carrier_lookup: Callable[[str], str] | None = None,
        registry: Registry | None = None,
        **settings: Any,
    ) -> None:
        self.simulator = simulator
        self.clock = clock
        self._ids = count(1)
        self._hosts = {
            "fallback": fallback,
            "carrier_lookup": carrier_lookup,
            "registry": registry,
        }
        wanted = {
            "database_url": database_url,
            "cxone_url": url,
            "client_id": "demo-client",
            "client_secret": "demo-secret",
            "queue_id": QUEUE,
            "request_timeout_seconds": 2,
        }
        self.settings = Settings(**(wanted | settings))
        self.engine = self._open()
        simulator.send_webhooks_to(lambda body, headers: self.engine.webhook(body, headers).status)

    def _open(self) -> Engine:
        return Engine.from_settings(self.settings, clock=self.clock, **self._hosts)  # type: ignore[arg-type]  # one dict of hosts' callables

    @contextmanager
    def another_engine(self) -> Iterator[Engine]:
        with self._open() as engine:
            yield engine

    def restart(self) -> None:
        """Close the engine and open a new one on the same store."""
        self.engine.close()
        self.engine = self._open()

    def close(self) -> None:
        self.engine.close()

    # Customers, hosts and carriers

    def text(self, text: str = "hi", **fields: Any) -> Receipt:
        """A customer's text comes in."""
        wanted = {
            "message_id": f"in-{next(self._ids)}",
            "from_": CUSTOMER,
            "to": BUSINESS,
            "text": text,
        }
        return self.engine.receive(InboundMessage(**(wanted | fields)))

    def opened(self, text: str = "hi") -> str:
        """A conversation that is open and routed; gives the engine's id."""
        receipt = self.text(text)
        self.engine.drain()
        assert receipt.conversation is not None
        return receipt.conversation

    def replied(self, conversation: str, text: str = "Hello!", **options: Any) -> Message:
        """An outbound text that CXone took."""
        key = options.pop("key", f"key-{next(self._ids)}")
        self.engine.reply(conversation, text, key=key, **options)
        self.engine.drain()
        return self.message(conversation, key)

    def says(self, message: Message, status: str, *codes: str | None, part: int = -1) -> Receipt:
        """The carrier's word on the newest post of a message: status code, carrier, error."""
        code, carrier, error = (*codes, None, None, None)[:3]
        message_id = message.message_ids[part]
        return self.engine.record(
            DeliveryStatus(
                message_id=message_id,
                conversation_id=self._posted_in(message_id),
                status=status,
                status_code=code,
                carrier_status=carrier,
                error_code=error,
            )
        )

    def _posted_in(self, message_id: str) -> str:
        for conversation in self.simulator.conversations:
            listed = self.simulator.messages(conversation["conversationId"])
            if any(message["message_id"] == message_id for message in listed):
                return str(conversation["conversationId"])
        raise AssertionError(f"the platform has no message {message_id}")

    # What is there

    def conversation(self, identity: str) -> Conversation:
        return self.engine.conversation(identity)

    def state(self, identity: str) -> str:
        return self.engine.conversation(identity).state

    def message(self, conversation: str, key: str) -> Message:
        return next(m for m in self.engine.conversation(conversation).messages if m.key == key)

    def events(self, conversation: str) -> list[str]:
        """Names of all events of a conversation, oldest first."""
        return [event.name for event in self.engine.history(conversation)]

    def posted(self, conversation: str) -> list[str]:
        """Texts as CXone has them, oldest first."""
        remote = self.engine.conversation(conversation).conversation_id
        assert remote is not None
        return [message["content"]["text"] for message in self.simulator.messages(remote)]
