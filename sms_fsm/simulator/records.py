"""What the simulated platform knows, as frozen values, and ``Changes``: the new values that one
ledger entry brings. State is nothing but the sum of all changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


def wire_time(moment: datetime) -> str:
    """A moment as the wire writes it: RFC 3339, UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Origin(StrEnum):
    """Who made a conversation or message: a client's call or the platform itself."""

    API = "api"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation.

    Args:
        wire: as ``getConversation`` shows it.
        client_reference, business_address: as posted, even when a fault dropped the properties.
        stale_link: its carrier link was not refreshed since it was archived.
        vanished: every call answers 404 from now on.
    """

    wire: Json = field(repr=False)
    origin: Origin = Origin.API
    client_reference: str | None = None
    business_address: str | None = field(default=None, repr=False)
    stale_link: bool = False
    vanished: bool = False

    @property
    def id(self) -> str:
        return str(self.wire["conversationId"])

    @property
    def customer(self) -> str | None:
        """Address of the customer participant."""
        found = (p.get("address") for p in self.wire["participants"] if p["role"] == "customer")
        return next(found, None)

    @property
    def archived(self) -> bool:
        return bool(self.wire["archived"]) or self.wire["status"] == "archived"

    @property
    def closed(self) -> bool:
        return bool(self.wire["status"] == "closed")


@dataclass(frozen=True, slots=True)
class Message:
    """One accepted message: ``wire`` as shown, ``text`` and ``client_reference`` as posted."""

    wire: Json = field(repr=False)
    text: str = field(repr=False)
    client_reference: str | None = None

    @property
    def id(self) -> str:
        return str(self.wire["message_id"])

    @property
    def conversation_id(self) -> str:
        return str(self.wire["conversation_id"])

    @property
    def outbound(self) -> bool:
        return bool(self.wire["direction"] == "outbound")

    @property
    def internal(self) -> bool:
        """An internal note: it never leaves the platform."""
        return bool(self.wire.get("metadata", {}).get("internal_note"))


@dataclass(frozen=True, slots=True)
class CarrierStatus:
    """One word of a carrier on one message, in the wire's fields."""

    status: str
    error_code: str | None = None
    status_code: str | None = None
    carrier_status: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """A carrier's word that is still to come; ``copies`` 0: its webhook gets lost."""

    word: CarrierStatus
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery record of one message (``wire``), and what its carrier has yet to say."""

    wire: Json
    planned: tuple[Callback, ...] = ()
    reordered: bool = False
    before_answer: bool = False

    @property
    def message_id(self) -> str:
        return str(self.wire["message_id"])

    @property
    def conversation_id(self) -> str:
        return str(self.wire["conversation_id"])


class Sending(StrEnum):
    """How far a webhook came."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    LOST = "lost"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An envelope on its way to the client."""

    id: str
    envelope: Json = field(repr=False)
    sending: Sending = Sending.PENDING
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """What one token answer granted. Tokens are kept as SHA-256, never as such."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime
    refreshed: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """An accepted call that takes effect only at ``due`` (of the real clock if ``real``)."""

    id: str
    operation: str
    conversation_id: str | None
    body: str = field(repr=False)
    due: datetime
    real: bool = False
    done: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """New values of records; each replaces the one with the same id.

    ``looked_up``: addresses that findConversations was asked for.
    """

    conversations: tuple[Conversation, ...] = ()
    messages: tuple[Message, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    sessions: tuple[Session, ...] = ()
    late: tuple[Late, ...] = ()
    looked_up: tuple[str, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return any(getattr(self, column.name) for column in fields(self))

    @staticmethod
    def merged(parts: Sequence[Changes]) -> Changes:
        """All changes of several, in order."""
        names = [column.name for column in fields(Changes)]
        return Changes(**{n: tuple(r for part in parts for r in getattr(part, n)) for n in names})


NO_CHANGES = Changes()
