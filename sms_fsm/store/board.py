"""What operators look at: pages by key and counts with a bound, however much is stored.

Every query here walks an index and stops; a test asks the database for its plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal,
    select,
    tuple_,
)

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Effect, EffectState
from sms_fsm.log import LoggedEvent, logged_event
from sms_fsm.store.columns import Instant
from sms_fsm.store.database import Database
from sms_fsm.store.queries import Listed
from sms_fsm.store.rows import conversation_from, effect_from, message_from
from sms_fsm.store.statements import (
    CONVERSATION,
    EVENT,
    GRAPH_VERSION,
    MESSAGE,
    OUTBOX,
    PARKED,
)
from sms_fsm.values import evolve

MOST_COUNTED = 100_000
"""Counts stop here: beyond it the number no longer matters, and counting would take long."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_UNSETTLED = (
    EffectState.QUEUED.value,
    EffectState.PENDING.value,
    EffectState.LEASED.value,
    EffectState.DEAD.value,
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the store; counts end at `MOST_COUNTED`.

    Args:
        due: effects whose time has come.
        waiting: effects whose time is still to come.
        leased: effects that a worker holds.
        dead: effects that gave up.
        parked: callbacks about a message or conversation that is not known (yet).
        oldest_due_at: since when the effect has been due that has waited longest.
        oldest_timer_due_at: the same for the graph's timers.
    """

    due: int
    waiting: int
    leased: int
    dead: int
    parked: int
    oldest_due_at: datetime | None
    oldest_timer_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class GraphVersion:
    """A graph that conversations run or ran on; ``added_at`` is when the store learned of it."""

    id: str
    version: int
    behaviour_hash: str
    added_at: datetime


class Board:
    """Read-only pages and figures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Many conversations

    def by_age(
        self, states: Iterable[str], after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Listed]:
        """Conversations in any of these states, those first that have been so for longest.

        ``after`` is since when the last of the page before was in its state, and its id.
        """
        queries = [_oldest_in(state, after, limit) for state in states]

        def look(connection: Connection) -> Sequence[Listed]:
            pages = [[_listed(row) for row in connection.execute(query)] for query in queries]
            return list(islice(merge(*pages, key=_by_age), limit))

        return self._database.read(look)

    def of_number(self, address: str, after: str | None, limit: int) -> Sequence[Listed]:
        """Conversations of a customer's or a business's number, in order of their ids."""
        return self._database.read(
            lambda connection: [
                _listed(row)
                for column in (CONVERSATION.c.customer, CONVERSATION.c.business)
                for row in connection.execute(_with_number(column, address, after, limit))
            ]
        )[:limit]

    def holder(self, conversation_id: str) -> str | None:
        """The engine's id of the conversation that holds this CXone conversation."""
        query = select(CONVERSATION.c.id).where(CONVERSATION.c.conversation_id == conversation_id)
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def counts(self, states: Iterable[str], most: int = MOST_COUNTED) -> dict[str, int]:
        """How many conversations are in each state, counted up to ``most``."""
        queries = {state: _count(CONVERSATION.c.state == state, most=most) for state in states}
        return self._counted(queries)

    def running_on(self, hashes: Iterable[str], most: int = MOST_COUNTED) -> dict[str, int]:
        """How many conversations run on each graph, by behaviour hash, up to ``most``."""
        queries = {each: _count(CONVERSATION.c.graph_hash == each, most=most) for each in hashes}
        return self._counted(queries)

    def graphs(self) -> Sequence[GraphVersion]:
        """Every graph that was ever used, the newest version first."""
        columns = GRAPH_VERSION.c
        query = select(
            columns.id, columns.version, columns.behaviour_hash, columns.created_at
        ).order_by(columns.id, columns.version.desc())
        return self._database.read(
            lambda connection: [GraphVersion(*row) for row in connection.execute(query)]
        )

    def _counted(self, queries: dict[str, Select[Any]]) -> dict[str, int]:
        return self._database.read(
            lambda connection: {
                name: connection.execute(query).scalar_one() for name, query in queries.items()
            }
        )

    # One conversation

    def conversation(self, identity: str) -> Listed | None:
        """One conversation without its texts, and since when it is in its state."""
        query = select(CONVERSATION).where(CONVERSATION.c.id == identity)

        def look(connection: Connection) -> Listed | None:
            row = connection.execute(query).first()
            return None if row is None else _listed(row)

        return self._database.read(look)

    def recent(self, conversation: Conversation, *, texts: int) -> Conversation:
        """The conversation with its newest texts, oldest first."""
        query = (
            select(MESSAGE)
            .where(MESSAGE.c.conversation == conversation.id)
            .order_by(MESSAGE.c.seq.desc())
            .limit(texts)
        )

        def look(connection: Connection) -> tuple[Message, ...]:
            return tuple(message_from(row) for row in connection.execute(query))[::-1]

        return evolve(conversation, messages=self._database.read(look))

    def events(self, identity: str, before: int | None, limit: int) -> Sequence[LoggedEvent]:
        """The newest events of a conversation with a number below ``before``, newest first."""
        query = (
            select(EVENT.c.record)
            .where(EVENT.c.conversation == identity)
            .order_by(EVENT.c.seq.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(EVENT.c.seq < before)
        return self._database.read(
            lambda connection: [logged_event(r) for r in connection.execute(query).scalars()]
        )

    def unsettled(self, identity: str, limit: int) -> Sequence[Effect]:
        """Effects of a conversation that wait, are held or gave up, in the order of their turn."""
        query = (
            select(OUTBOX)
            .where(OUTBOX.c.conversation == identity, OUTBOX.c.state.in_(_UNSETTLED))
            .order_by(OUTBOX.c.due_at, OUTBOX.c.id)
            .limit(limit)
        )
        return self._database.read(
            lambda connection: [effect_from(row) for row in connection.execute(query)]
        )

    # The outbox

    def dead(self, after: str | None, limit: int) -> Sequence[Effect]:
        """A page of dead letters in order of their ids."""
        query = select(OUTBOX).where(_in_state(EffectState.DEAD)).order_by(OUTBOX.c.id).limit(limit)
        if after is not None:
            query = query.where(OUTBOX.c.id > after)
        return self._database.read(
            lambda connection: [effect_from(row) for row in connection.execute(query)]
        )

    def backlog(self, now: datetime, most: int = MOST_COUNTED) -> Backlog:
        """What waits at this time, counted up to ``most``."""
        pending = _in_state(EffectState.PENDING)
        due = and_(pending, OUTBOX.c.due_at <= now)
        # Each condition names the column of its partial index, or SQLite walks a whole one.
        leased = _in_state(EffectState.LEASED)
        timer = CONVERSATION.c.timer_due_at
        counts = {
            "due": _count(due, most=most),
            "waiting": _count(and_(pending, OUTBOX.c.due_at > now), most=most),
            "leased": _count(and_(leased, OUTBOX.c.lease_until > _LONG_AGO), most=most),
            "dead": _count(and_(_in_state(EffectState.DEAD), OUTBOX.c.id > ""), most=most),
            "parked": _count(PARKED.c.expires_at > now, most=most),
        }
        oldest = {
            "oldest_due_at": _first(OUTBOX.c.due_at, due),
            "oldest_timer_due_at": _first(timer, and_(timer.is_not(None), timer <= now)),
        }

        def look(connection: Connection) -> Backlog:
            found = {name: connection.execute(query).scalar_one() for name, query in counts.items()}
            ages: dict[str, Any] = {
                name: connection.execute(query).scalar() for name, query in oldest.items()
            }
            return Backlog(**found, **ages)

        return self._database.read(look)


def _listed(row: Any) -> Listed:
    return Listed(conversation_from(row), row.state_since)


def _by_age(listed: Listed) -> tuple[datetime, str]:
    return listed.since, listed.conversation.id


def _oldest_in(state: str, after: tuple[datetime, str] | None, limit: int) -> Select[Any]:
    since, identity = CONVERSATION.c.state_since, CONVERSATION.c.id
    query = (
        select(CONVERSATION)
        .where(CONVERSATION.c.state == state)
        .order_by(since, identity)
        .limit(limit)
    )
    if after is None:
        return query
    return query.where(tuple_(since, identity) > tuple_(literal(after[0], Instant), after[1]))


def _with_number(
    column: ColumnElement[str], address: str, after: str | None, limit: int
) -> Select[Any]:
    query = select(CONVERSATION).where(column == address).order_by(CONVERSATION.c.id).limit(limit)
    return query if after is None else query.where(CONVERSATION.c.id > after)


def _in_state(state: EffectState) -> ColumnElement[bool]:
    return OUTBOX.c.state == state.value


def _count(condition: ColumnElement[bool], *, most: int) -> Select[Any]:
    found = select(literal(1)).where(condition).limit(most).subquery()
    return select(func.count()).select_from(found)


def _first(column: ColumnElement[datetime], condition: ColumnElement[bool]) -> Select[Any]:
    return select(column).where(condition).order_by(column).limit(1)
