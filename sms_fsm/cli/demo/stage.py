"""Where the demo plays: an engine on SQLite, the simulator behind real HTTP, a clock moved by hand.

It acts for customers, agents and hosts, and looks at both sides. It promises nothing itself.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from sms_fsm.cli.stores import opened
from sms_fsm.cli.waiting import waiting_effects
from sms_fsm.config import Settings
from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Effect
from sms_fsm.engine import Engine
from sms_fsm.log import LoggedEvent
from sms_fsm.messages import FailedMessage
from sms_fsm.simulator import Simulator
from sms_fsm.store import Queries

CUSTOMER = "+15551234567"
SECOND_CUSTOMER = "+15557654321"
BUSINESS = "+18885550100"
QUEUE = "queue_sms_support_01"
BILLING = "queue_billing"

WEBHOOK_SECRET = "whsec_ZGVtby1zZWNyZXQtb2YtYS1zaW11bGF0ZWQtdGVuYW50"  # noqa: S105 - of a simulated tenant
_LONGEST_WAIT_SECONDS = 60.0
_STARTS = datetime(2026, 3, 2, 9, tzinfo=UTC)


class MovedClock:
    """The demo's present: it stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = _STARTS

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        """Move it by so many ``seconds``, ``minutes`` or ``hours``."""
        self.now += timedelta(**length)


class Stage:
    """Engine, simulator, clock, and the host's two functions.

    Args:
        carrier: the carrier profile of every number, as the host's look-up tells it.
        handed_over: what the host's other channel was given.
        said: outbound texts that the story asked for, each with the posts that it must take.
    """

    def __init__(self, database: Path, simulator: Simulator, clock: MovedClock) -> None:
        self.clock = clock
        self.simulator = simulator
        self.carrier = "carrier-a"
        self.handed_over: list[FailedMessage] = []
        self.said: Counter[str] = Counter()
        self._texts = itertools.count(1)
        self.settings = Settings(
            database_url=f"sqlite:///{database}",
            cxone_url=simulator.url,
            client_id="demo-client",
            client_secret="demo-secret",  # noqa: S106 - of a simulated tenant
            queue_id=QUEUE,
            token_key=Fernet.generate_key().decode(),
            webhook_secret=WEBHOOK_SECRET,
        )
        self.engine = self._open()
        simulator.send_webhooks_to(lambda body, headers: self.engine.webhook(body, headers).status)

    def _open(self) -> Engine:
        return Engine.from_settings(
            self.settings,
            clock=self.clock,
            fallback=self.handed_over.append,
            carrier_lookup=lambda _: self.carrier,
        )

    def restart(self) -> None:
        """Drop the engine and open a new one on the same store."""
        self.engine.close()
        self.engine = self._open()

    def drained_until(self, done: Callable[[], bool]) -> bool:
        """Drain until it is done, for some real seconds: leases run on real time."""
        ends = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not done() and time.monotonic() < ends:
            time.sleep(0.05)
            self.engine.drain()
        return done()

    # What customers and hosts do

    def customer_texts(self, text: str, customer: str = CUSTOMER) -> None:
        """A webhook brings a customer's text."""
        message_id = f"sms-{next(self._texts)}"
        self.simulator.customer_texts(customer, BUSINESS, text, message_id)

    def reply(self, text: str, *, posts: int = 1, customer: str = CUSTOMER) -> str:
        """The host asks for a reply, which must take so many posts; gives its key."""
        self.said[text] += posts
        key = f"ticket-7/{len(self.said)}"
        self.engine.reply(self.conversation(customer).id, text, key=key)
        return key

    def carriers_speak(self, *, threads: int = 1) -> int:
        """Some seconds on, every callback that waits is sent; gives how many."""
        self.clock.forward(seconds=3)
        return self.simulator.deliver(threads=threads)

    # What the engine has

    def conversation(self, customer: str = CUSTOMER) -> Conversation:
        """The one conversation with a customer.

        Raises:
            LookupError: there is none.
        """
        found = self.engine.find(customer=customer, business=BUSINESS)
        if found is None:
            raise LookupError("there is no conversation with this customer")
        return found

    @property
    def state(self) -> str:
        """Of the first customer's conversation."""
        return self.conversation().state

    @property
    def history(self) -> Sequence[LoggedEvent]:
        """Of the first customer's conversation."""
        found = self.engine.find(customer=CUSTOMER, business=BUSINESS)
        return self.engine.history(found.id) if found else ()

    def events(self, name: str, customer: str = CUSTOMER, **data: Any) -> list[LoggedEvent]:
        """Events of a conversation with this name and these data."""
        return [
            event
            for event in self.engine.history(self.conversation(customer).id)
            if event.name == name and data.items() <= event.data.items()
        ]

    def message(self, key: str, customer: str = CUSTOMER) -> Message:
        """A text by its key.

        Raises:
            LookupError: there is none.
        """
        for message in self.conversation(customer).messages:
            if message.key == key:
                return message
        raise LookupError(f"there is no text {key}")

    def waiting(self, conversation: Conversation) -> Sequence[Effect]:
        """What a conversation still has to do."""
        with self.queries() as queries:
            return waiting_effects(queries, conversation)

    @contextmanager
    def queries(self) -> Iterator[Queries]:
        """Questions to the store that the engine does not answer."""
        with opened(self.settings) as database:
            yield Queries(database)

    # What CXone has

    def remote(self, customer: str = CUSTOMER) -> str:
        """CXone's id of a conversation; empty before it is opened."""
        return self.conversation(customer).conversation_id or ""

    def posted(self, customer: str = CUSTOMER) -> list[dict[str, Any]]:
        """Messages as CXone lists them, oldest first."""
        return self.simulator.messages(self.remote(customer))

    def copies(self, text: str, customer: str = CUSTOMER) -> int:
        """How often CXone has a text."""
        return sum(message["content"]["text"] == text for message in self.posted(customer))

    def calls(self, since: int = 0) -> list[str]:
        """Operations that CXone was asked for, oldest first, from the ``since``-th on."""
        return [operation for operation, _ in self.simulator.requests[since:]]
