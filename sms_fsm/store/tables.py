"""The tables. One row each: a conversation, a text, an event, an effect, a key, a callback.

Everything that an event changes is written in the transaction that appends it to `event_log`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from sms_fsm.store.columns import Instant, Json


class ConversationRow(SQLModel, table=True):
    """One customer with one business number.

    ``lane_head`` is the one ordered effect that may go now; the others wait behind it.
    ``log_hash`` is the hash of the last event, which the next one continues.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("customer", "business", "isolation", name="one_conversation_a_pair"),
        UniqueConstraint("conversation_id", name="one_holder_a_cxone_conversation"),
        Index("conversation_by_state", "state", "id"),
        Index(
            "conversation_by_timer",
            "timer_due_at",
            sqlite_where=text("timer_due_at IS NOT NULL"),
            postgresql_where=text("timer_due_at IS NOT NULL"),
        ),
        Index("conversation_by_age", "state", "state_since", "id"),
        Index("conversation_by_graph", "graph_hash", "state", "id"),
        Index("conversation_of_business", "business", "id"),
        Index("conversation_by_external_customer_id", "external_customer_id"),
    )

    id: str = Field(primary_key=True)
    customer: str
    business: str
    isolation: str = ""
    external_customer_id: str | None = None
    profile: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    conversation_id: str | None = None
    state: str
    graph_version: int
    graph_hash: str
    seq: int = 0
    data: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    lane_head: str | None = None
    log_hash: str = ""
    timer_due_at: datetime | None = Field(sa_column=Column(Instant))
    state_since: datetime = Field(sa_column=Column(Instant, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class MessageRow(SQLModel, table=True):
    """A text; ``body`` is UTF-8 and may be erased without touching the log."""

    __tablename__ = "message"

    conversation: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    data: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    body: bytes | None = Field(sa_column=Column(LargeBinary))


class PostRow(SQLModel, table=True):
    """Which part of which text a CXone message id belongs to."""

    __tablename__ = "post"

    message_id: str = Field(primary_key=True)
    conversation_id: str
    conversation: str
    message: int
    part: int


class EventRow(SQLModel, table=True):
    """One event of the append-only log; ``hash`` covers ``record`` and the event before it."""

    __tablename__ = "event_log"

    conversation: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    record: str = Field(sa_column=Column(Text, nullable=False))
    hash: str


class InboxRow(SQLModel, table=True):
    """A key that was taken in; a second time it is a duplicate, until it expires (if ever)."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index(
            "inbox_by_expiry",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    key: str = Field(primary_key=True)
    digest: str
    conversation: str
    seq: int
    expires_at: datetime | None = Field(sa_column=Column(Instant))


class OutboxRow(SQLModel, table=True):
    """An effect or timer. ``position`` orders a conversation's lane; NULL is beside the lane.

    ``lease_until`` is real time (on Postgres the database's), all else is the engine's clock.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "outbox_due",
            "due_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "outbox_leased",
            "lease_until",
            sqlite_where=text("state = 'leased'"),
            postgresql_where=text("state = 'leased'"),
        ),
        Index(
            "outbox_dead",
            "id",
            sqlite_where=text("state = 'dead'"),
            postgresql_where=text("state = 'dead'"),
        ),
        Index("outbox_lane", "conversation", "state", "position"),
    )

    id: str = Field(primary_key=True)
    conversation: str
    name: str
    state: str
    position: int | None = Field(sa_column=Column(BigInteger))
    data: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    message: int | None = None
    timer: bool = False
    due_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    lease_until: datetime | None = Field(sa_column=Column(Instant))
    token: int = 0
    attempts: int = 0
    failures: int = 0
    reason: str | None = None
    started_at: datetime | None = Field(sa_column=Column(Instant))
    unknown_since: datetime | None = Field(sa_column=Column(Instant))
    looked_up: bool = False
    interrupted: bool = False


class ParkedRow(SQLModel, table=True):
    """A callback about a message or conversation that is not (yet) known."""

    __tablename__ = "parked"
    __table_args__ = (Index("parked_by_expiry", "expires_at"),)

    about: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    number: int
    data: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class OptOutRow(SQLModel, table=True):
    """A customer who wants no texts from a business number."""

    __tablename__ = "opt_out"

    customer: str = Field(primary_key=True)
    business: str = Field(primary_key=True)
    source: str
    at: datetime = Field(sa_column=Column(Instant, nullable=False))


class CarrierCountRow(SQLModel, table=True):
    """How often something happened with a carrier; sharded so that writers do not queue."""

    __tablename__ = "carrier_count"

    profile: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    shard: int = Field(primary_key=True)
    count: int


class TokenRow(SQLModel, table=True):
    """The shared access token, encrypted; ``held_until`` is real time."""

    __tablename__ = "token"

    id: int = Field(primary_key=True)
    version: int
    ciphertext: bytes | None = Field(sa_column=Column(LargeBinary))
    holder: str | None = None
    held_until: datetime | None = Field(sa_column=Column(Instant))


class GraphVersionRow(SQLModel, table=True):
    """Every graph document that a conversation ever ran on."""

    __tablename__ = "graph_version"

    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    behaviour_hash: str
    document: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
