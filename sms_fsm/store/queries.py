"""Reading: conversations, histories, dead letters, figures. Nothing here locks or writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from sms_fsm.conversation import Conversation, Message, MessageStatus
from sms_fsm.effects import Effect, EffectState
from sms_fsm.log import LoggedEvent, logged_event
from sms_fsm.store.columns import Instant
from sms_fsm.store.database import Database
from sms_fsm.store.rows import conversation_from, effect_from, message_from
from sms_fsm.store.statements import (
    CARRIER_COUNT,
    CONVERSATION,
    EVENT,
    GRAPH_VERSION,
    MESSAGE,
    OUTBOX,
    POST,
)
from sms_fsm.values import evolve

_PAGE = 1000
_DONE = (EffectState.DONE.value, EffectState.CANCELLED.value)


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation without its texts, and since when it is in its state."""

    conversation: Conversation
    since: datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """A text that CXone took and that no carrier had the last word on since ``since``."""

    conversation: str
    key: str
    status: MessageStatus
    since: datetime


@dataclass(frozen=True, slots=True)
class CarrierFigures:
    """What happened with one carrier profile (``unknown`` without a look-up)."""

    profile: str
    duplicates: int
    delivered: int
    failed: int


class Queries:
    """Read-only views on one consistent state of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def conversation(self, identity: str) -> Conversation | None:
        """One conversation with its texts."""

        def find(connection: Connection) -> Conversation | None:
            row = connection.execute(
                select(CONVERSATION).where(CONVERSATION.c.id == identity)
            ).first()
            return None if row is None else _with_texts(connection, row)

        return self._database.read(find)

    def find(
        self, customer: str | None, business: str | None, external_customer_id: str | None
    ) -> Conversation | None:
        """The newest conversation that fits all that is given."""
        wanted = {
            CONVERSATION.c.customer: customer,
            CONVERSATION.c.business: business,
            CONVERSATION.c.external_customer_id: external_customer_id,
        }
        conditions = [column == value for column, value in wanted.items() if value is not None]

        def look(connection: Connection) -> Conversation | None:
            row = connection.execute(
                select(CONVERSATION)
                .where(and_(*conditions))
                .order_by(CONVERSATION.c.id.desc())
                .limit(1)
            ).first()
            return None if row is None else _with_texts(connection, row)

        return self._database.read(look)

    def conversations(
        self, state: str | None, after: str | None, limit: int
    ) -> Sequence[Conversation]:
        """A page of conversations in order of their ids, without texts."""
        return [listed.conversation for listed in self.listing(state, after, limit)]

    def listing(self, state: str | None, after: str | None, limit: int) -> Sequence[Listed]:
        """The same page, each with the time at which its state began."""
        query = select(CONVERSATION).order_by(CONVERSATION.c.id).limit(limit)
        if state is not None:
            query = query.where(CONVERSATION.c.state == state)
        if after is not None:
            query = query.where(CONVERSATION.c.id > after)
        return self._database.read(
            lambda connection: [
                Listed(conversation_from(row), row.state_since) for row in connection.execute(query)
            ]
        )

    def live(self, behaviour_hash: str) -> Sequence[tuple[str, int]]:
        """State and number of the conversations that run on a graph, by state."""
        query = (
            select(CONVERSATION.c.state, func.count())
            .where(CONVERSATION.c.graph_hash == behaviour_hash)
            .group_by(CONVERSATION.c.state)
            .order_by(CONVERSATION.c.state)
        )
        return self._database.read(
            lambda connection: [(state, count) for state, count in connection.execute(query)]
        )

    def history(self, identity: str) -> Sequence[LoggedEvent]:
        """All events of a conversation, oldest first."""
        query = select(EVENT.c.record).where(EVENT.c.conversation == identity).order_by(EVENT.c.seq)
        return self._database.read(
            lambda connection: [logged_event(r) for r in connection.execute(query).scalars()]
        )

    def logged(self, identity: str, seq: int) -> LoggedEvent:
        """One event of a conversation."""
        query = select(EVENT.c.record).where(EVENT.c.conversation == identity, EVENT.c.seq == seq)
        return self._database.read(
            lambda connection: logged_event(connection.execute(query).scalar_one())
        )

    def dead_letters(self) -> Sequence[Effect]:
        """Effects that gave up, oldest id first."""
        query = select(OUTBOX).where(OUTBOX.c.state == EffectState.DEAD.value).order_by(OUTBOX.c.id)
        return self._database.read(
            lambda connection: [effect_from(row) for row in connection.execute(query)]
        )

    def silences(self, before: datetime, limit: int) -> Sequence[Silence]:
        """Texts that CXone took before this time and that are not settled, oldest first.

        Each has a poll in the outbox that lives until it is settled, and that was taken up
        minutes after the post.
        """
        polled = _polled_since(before).subquery()
        texts = and_(
            MESSAGE.c.conversation == polled.c.conversation, MESSAGE.c.seq == polled.c.message
        )
        columns = (MESSAGE.c.conversation, MESSAGE.c.seq, MESSAGE.c.data, polled.c.since)
        query = select(*columns).join(polled, texts).order_by(polled.c.since)

        def look(connection: Connection) -> Sequence[Silence]:
            found = (
                Silence(row.conversation, message.key, message.status, row.since)
                for row in connection.execute(query)
                if not (message := message_from(row)).settled
            )
            return list(islice(found, limit))

        return self._database.read(look)

    def effects(self, identity: str) -> Sequence[Effect]:
        """All effects of a conversation, in the order of their planning."""
        query = select(OUTBOX).where(OUTBOX.c.conversation == identity).order_by(OUTBOX.c.due_at)
        return self._database.read(
            lambda connection: [effect_from(row) for row in connection.execute(query)]
        )

    def held_by_others(self, identity: str, conversation_ids: Sequence[str]) -> frozenset[str]:
        """Those CXone conversations that another pair holds."""
        query = select(CONVERSATION.c.conversation_id).where(
            CONVERSATION.c.conversation_id.in_(list(conversation_ids)),
            CONVERSATION.c.id != identity,
        )
        return self._database.read(
            lambda connection: frozenset(connection.execute(query).scalars())
        )

    def posted_in(self, message_id: str) -> str | None:
        """The CXone conversation that a message id was posted in."""
        query = select(POST.c.conversation_id).where(POST.c.message_id == message_id)
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def carriers(self) -> Sequence[CarrierFigures]:
        """Figures by carrier profile."""
        query = select(
            CARRIER_COUNT.c.profile, CARRIER_COUNT.c.kind, func.sum(CARRIER_COUNT.c.count)
        ).group_by(CARRIER_COUNT.c.profile, CARRIER_COUNT.c.kind)

        def figures(connection: Connection) -> Sequence[CarrierFigures]:
            counts: dict[str, dict[str, int]] = {}
            for profile, kind, count in connection.execute(query):
                counts.setdefault(profile, {})[kind] = int(count)
            return [
                CarrierFigures(
                    profile=profile,
                    duplicates=kinds.get("duplicate", 0),
                    delivered=kinds.get("delivered", 0),
                    failed=kinds.get("failed", 0),
                )
                for profile, kinds in sorted(counts.items())
            ]

        return self._database.read(figures)

    def durability(self) -> Mapping[str, str]:
        """The Postgres settings that a promise of durability rests on; none of SQLite."""
        if self._database.is_sqlite:
            return {}
        settings = ("fsync", "full_page_writes", "synchronous_commit")
        query = select(*(func.current_setting(name) for name in settings))
        return self._database.read(
            lambda connection: dict(zip(settings, connection.execute(query).one(), strict=True))
        )

    def graphs(self) -> Sequence[tuple[str, int, str, str]]:
        """Id, version, behaviour hash and document of every graph that was ever used."""
        query = select(
            GRAPH_VERSION.c.id,
            GRAPH_VERSION.c.version,
            GRAPH_VERSION.c.behaviour_hash,
            GRAPH_VERSION.c.document,
        ).order_by(GRAPH_VERSION.c.id, GRAPH_VERSION.c.version)
        return self._database.read(
            lambda connection: [tuple(row) for row in connection.execute(query)]
        )

    def log(
        self, *, conversation: str | None = None, since: datetime | None = None
    ) -> Iterator[tuple[str, str]]:
        """Record and hash of every event, by conversation and number, a page at a time."""
        last: tuple[str, int] = (conversation or "", 0)
        while True:
            rows = self._log_page(last, conversation, since)
            yield from ((row.record, row.hash) for row in rows)
            if len(rows) < _PAGE:
                return
            last = (rows[-1].conversation, rows[-1].seq)

    def _log_page(
        self, last: tuple[str, int], conversation: str | None, since: datetime | None
    ) -> Sequence[Row[Any]]:
        query = (
            select(EVENT)
            .where(
                (EVENT.c.conversation > last[0])
                | and_(EVENT.c.conversation == last[0], EVENT.c.seq > last[1])
            )
            .order_by(EVENT.c.conversation, EVENT.c.seq)
            .limit(_PAGE)
        )
        if conversation is not None:
            query = query.where(EVENT.c.conversation == conversation)
        if since is not None:
            query = query.where(EVENT.c.at >= since)
        return self._database.read(lambda connection: connection.execute(query).all())


def _polled_since(before: datetime) -> Select[Any]:
    since = func.min(func.coalesce(OUTBOX.c.started_at, OUTBOX.c.due_at), type_=Instant)
    return (
        select(OUTBOX.c.conversation, OUTBOX.c.message, since.label("since"))
        .where(OUTBOX.c.name == "PollDelivery", OUTBOX.c.state.not_in(_DONE))
        .group_by(OUTBOX.c.conversation, OUTBOX.c.message)
        .having(since < before)
    )


def _with_texts(connection: Connection, row: Row[Any]) -> Conversation:
    texts: list[Message] = [
        message_from(text)
        for text in connection.execute(
            select(MESSAGE).where(MESSAGE.c.conversation == row.id).order_by(MESSAGE.c.seq)
        )
    ]
    return evolve(conversation_from(row), messages=tuple(texts))
