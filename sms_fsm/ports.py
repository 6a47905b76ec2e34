"""What the engine needs of the outside world, as protocols that adapters fulfil.

Nothing here knows HTTP, SQL or a vendor. Calls to the platform raise
`sms_fsm.errors.CXoneError` and nothing else; they never sleep and never repeat what the platform
may have applied.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sms_fsm.conversation import Conversation, Message, Routing
from sms_fsm.effects import Effect
from sms_fsm.graph import StateGraph
from sms_fsm.machine import Step
from sms_fsm.sms import Encoding

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RemoteConversation:
    """A conversation as the platform shows it.

    Args:
        business_address: the business number that the customer participant carries, or None.
        client_reference: the engine's own mark of the creation, or None.
        agent_participant_id: id of the newest agent participant, or None.
    """

    conversation_id: str
    archived: bool
    closed: bool
    routing: Routing
    business_address: str | None = field(default=None, repr=False)
    client_reference: str | None = None
    agent_participant_id: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """A message as the platform lists it; says nothing of delivery."""

    message_id: str
    client_reference: str | None


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """The carriers' newest word on one message, as the platform shows it."""

    message_id: str
    conversation_id: str
    status: str
    direction: str | None = None
    status_code: str | None = None
    carrier_status: str | None = None
    error_code: str | None = None
    segments: int | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewConversation:
    """What it takes to create a conversation."""

    customer: str = field(repr=False)
    business: str = field(repr=False)
    client_reference: str
    inbound: bool
    routing: Routing
    name: str | None = field(default=None, repr=False)
    external_customer_id: str | None = None
    preferred_language: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One post of a text."""

    text: str = field(repr=False)
    encoding: Encoding
    inbound: bool
    client_reference: str
    participant_id: str | None = None
    on_behalf_of: str | None = None
    internal_note: bool = False


class Messaging(Protocol):
    """The platform's conversations. ``timeout_seconds`` is the whole of one call."""

    def find_conversations(
        self, customer: str, status: str, *, timeout_seconds: float
    ) -> Sequence[RemoteConversation]:
        """Conversations with this customer address, oldest first.

        ``status`` is one of ``active``, ``archived`` and ``closed``.
        """
        ...

    def get_conversation(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> RemoteConversation: ...

    def create_conversation(
        self, new: NewConversation, *, timeout_seconds: float
    ) -> RemoteConversation:
        """Every call creates one more: a lost answer is ambiguous."""
        ...

    def reactivate(
        self, conversation_id: str, routing: Routing, *, timeout_seconds: float
    ) -> RemoteConversation:
        """Make it active and not archived, with a fresh carrier route. May be repeated."""
        ...

    def update_routing(
        self, conversation_id: str, routing: Routing, *, timeout_seconds: float
    ) -> RemoteConversation:
        """Change queue, agent, skills or priority. May be repeated."""
        ...

    def post_message(
        self, conversation_id: str, new: NewMessage, *, timeout_seconds: float
    ) -> RemoteMessage:
        """Every call posts one more: a lost answer is ambiguous."""
        ...

    def list_messages(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> Iterable[RemoteMessage]:
        """All of them, oldest first. Never used to judge delivery.

        They may be fetched while they are taken. Where the list cannot be read to its end that is
        an error, never a shorter list.
        """
        ...

    def delivery_statuses(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> Sequence[RemoteStatus]: ...


@dataclass(frozen=True, slots=True)
class StoredToken:
    """An access token with what is needed to renew it. Never shown."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    issued_at: datetime
    expires_in_seconds: float


class TokenStore(Protocol):
    """Where processes share one token, encrypted by the caller.

    ``version`` grows by one with each `save`. `lease` gives at most one holder at a time, for
    real seconds, and never blocks.
    """

    def load(self) -> tuple[int, bytes] | None:
        """Version and ciphertext of the stored token, or None."""
        ...

    def save(self, ciphertext: bytes, holder: str) -> int:
        """Store a new token and end the holder's lease; gives the new version."""
        ...

    def lease(self, holder: str, seconds: float) -> bool:
        """Whether this holder may renew now. An own lease is prolonged."""
        ...

    def release(self, holder: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What the inbox remembers of a key."""

    digest: str
    conversation: str
    seq: int


@dataclass(frozen=True, slots=True)
class Post:
    """Where a CXone message id belongs."""

    conversation: str
    message: int
    part: int
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What an effect is about.

    Args:
        message: its text with body, if it is about one.
        opted_out: the customer wants no texts from this business number.
    """

    conversation: Conversation
    message: Message | None
    opted_out: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the conversations that run on one graph.

    Args:
        conversations: held until the transaction ends.
        end: state and id of the last one; the next page begins after it. None: there are no more.
    """

    conversations: tuple[Conversation, ...]
    end: tuple[str, str] | None


class Census(Protocol):
    """Which graphs the store knows, and where conversations stand on them."""

    def graphs(self) -> Sequence[tuple[str, int, str, str]]:
        """Id, version, behaviour hash and document of every graph that was ever used."""
        ...

    def live(self, behaviour_hash: str) -> Sequence[tuple[str, int]]:
        """State and number of the conversations that run on a graph, by state."""
        ...


@dataclass(frozen=True, slots=True)
class Reads:
    """What a work will read as far as that is known beforehand, so that it is fetched at once.

    Args:
        key: of the inbox.
        pair: customer, business number and isolation of a conversation that it will lock.
        conversation: the id of one.
        effect: the id of an effect of one, which it will take back.
        message: the number of a text of that one.
        conversation_id: CXone's id of one.
        message_id: CXone's id of a post of one.
    """

    key: str | None = None
    pair: tuple[str, str, str] | None = None
    conversation: str | None = None
    effect: str | None = None
    message: int | None = None
    conversation_id: str | None = None
    message_id: str | None = None


class UnitOfWork(Protocol):
    """One transaction over conversations, their log, the inbox and the outbox.

    A conversation must be locked (or created) before anything of it is changed.
    """

    def known(self, key: str, now: datetime) -> Known | None:
        """What was taken in under this key, unless its time is over."""
        ...

    def remember(
        self,
        key: str,
        *,
        digest: str,
        conversation: str,
        seq: int,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> None:
        """Take a key in, for ever or until ``expires_at``."""
        ...

    def lock(self, conversation: str) -> Conversation | None:
        """The conversation without its texts, held until the transaction ends."""
        ...

    def lock_pair(self, customer: str, business: str, isolation: str) -> Conversation | None:
        """The one conversation of this pair, held until the transaction ends."""
        ...

    def pinned(
        self, behaviour_hash: str, after: tuple[str, str], limit: int, *, wait: bool
    ) -> Page:
        """Up to ``limit`` conversations that run on a graph, by state and id after this pair.

        Those that another transaction holds are waited for or left out.
        """
        ...

    def create(self, conversation: Conversation, now: datetime) -> Conversation: ...

    def introduce(self, conversation: Conversation) -> None:
        """Store what the customer newly told of themselves."""
        ...

    def with_conversation_id(self, conversation_id: str) -> str | None:
        """The engine's id of the conversation that holds this CXone conversation."""
        ...

    def held_by_others(self, conversation: str, conversation_ids: Iterable[str]) -> frozenset[str]:
        """Those CXone conversations that another pair holds."""
        ...

    def message(self, conversation: str, seq: int, *, text: bool = False) -> Message | None:
        """One text, with its body if asked for."""
        ...

    def post(self, message_id: str) -> Post | None:
        """Where a CXone message id belongs, if the engine posted it."""
        ...

    def append(self, step: Step, *, text: str | None = None) -> None:
        """Write everything that a step did; ``text`` is the body of the text it brought."""
        ...

    def register_post(self, step: Step) -> None:
        """Remember the CXone message id that a `MessagePosted` event brought."""
        ...

    def logged(self, conversation: str, seq: int) -> str:
        """The log record of one event."""
        ...

    def park(self, about: str, data: Mapping[str, Any], *, expires_at: datetime) -> bool:
        """Keep a callback about something unknown; False if it was kept already."""
        ...

    def unpark(self, about: str) -> Sequence[Mapping[str, Any]]:
        """The callbacks kept for this, in order of arrival; they are gone afterwards."""
        ...

    def count(self, profile: str | None, kind: str, conversation: str) -> None:
        """One more of this kind for a carrier profile."""
        ...

    def effect(self, identity: str) -> Effect | None: ...

    def dead(self, identity: str) -> Effect | None:
        """A dead letter, held until the transaction ends."""
        ...

    def take_back(self, effect: Effect) -> bool:
        """Whether the lease still stands; if so the effect is this transaction's."""
        ...

    def finish(self, effect: Effect) -> None:
        """It was carried out, or is no longer wanted."""
        ...

    def defer(
        self,
        effect: Effect,
        *,
        due_at: datetime,
        reason: str | None,
        failed: bool,
        unknown_since: datetime | None = None,
        looked_up: bool = False,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """It goes again at ``due_at`` and keeps its place.

        ``failed`` counts a failure; otherwise the time for retries starts anew.
        """
        ...

    def step_back(self, effect: Effect, *, failed: bool) -> None:
        """It goes when what was planned before it is done; ``failed`` as for `defer`."""
        ...

    def bury(self, effect: Effect, reason: str, *, hold: bool) -> None:
        """It gave up; ``hold`` keeps what is behind it waiting."""
        ...

    def revive(self, effect: Effect, now: datetime) -> None:
        """A dead letter goes again: at once, or in its order."""
        ...

    def opted_out(self, conversation: Conversation) -> bool:
        """Whether the customer wants no texts from this business number."""
        ...

    def opt_out(self, conversation: Conversation, source: str, now: datetime) -> bool:
        """Mark the customer; False if that was so already."""
        ...

    def opt_in(self, conversation: Conversation) -> bool:
        """Take the mark away; False if there was none."""
        ...

    def forget(self, now: datetime, *, limit: int) -> int:
        """Remove keys and parked callbacks whose time is over; gives how many."""
        ...


class Bell(Protocol):
    """Wakes workers; they look for work now and then all the same."""

    @property
    def times(self) -> int:
        """How often it rang."""
        ...

    def wait(self, times: int, seconds: float) -> None:
        """Until it rang more often than so many times, or so long."""
        ...

    def attended(self, stop: threading.Event) -> AbstractContextManager[None]:
        """While a worker waits for it; it rings when ``stop`` is set."""
        ...


class Store(Protocol):
    """Durable state. Every call may raise `sms_fsm.errors.StoreUnavailable`."""

    def write(self, work: Callable[[UnitOfWork], T], *reads: Reads) -> T:
        """Run ``work`` in one transaction and commit; it is run again if it met another one.

        ``reads`` only makes it faster.
        """
        ...

    def subject(self, effect: Effect) -> Subject:
        """What an effect is about, as it is now."""
        ...

    def claim(self, now: datetime, *, limit: int, lease_seconds: float) -> Sequence[Effect]:
        """Lease effects that are due, each to one caller, for real seconds."""
        ...

    def release(self, effects: Sequence[Effect]) -> None:
        """Hand back leased effects that were not begun."""
        ...

    def due_timers(self, now: datetime, *, limit: int) -> Sequence[str]:
        """Conversations with a timer that is due."""
        ...

    def register_graph(self, graph: StateGraph, now: datetime) -> None:
        """Keep a graph for ever.

        Raises:
            GraphError: the store has this version with another behaviour.
        """
        ...

    def graph_document(self, behaviour_hash: str) -> tuple[int, str] | None:
        """Version and document of a graph that the store knows."""
        ...
