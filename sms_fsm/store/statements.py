"""The statements of the hot path, each built once from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    tuple_,
    update,
)

from sms_fsm.effects import EffectState
from sms_fsm.store.driver import Dialect, Insertion, Statement
from sms_fsm.store.tables import (
    CarrierCountRow,
    ConversationRow,
    EventRow,
    GraphVersionRow,
    InboxRow,
    MessageRow,
    OptOutRow,
    OutboxRow,
    ParkedRow,
    PostRow,
)


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table


CONVERSATION = _table(ConversationRow)
MESSAGE = _table(MessageRow)
POST = _table(PostRow)
EVENT = _table(EventRow)
INBOX = _table(InboxRow)
OUTBOX = _table(OutboxRow)
OPT_OUT = _table(OptOutRow)
PARKED = _table(ParkedRow)
CARRIER_COUNT = _table(CarrierCountRow)
GRAPH_VERSION = _table(GraphVersionRow)

LOCKED_COLUMNS = (
    "id",
    "customer",
    "business",
    "isolation",
    "external_customer_id",
    "state",
    "graph_version",
    "graph_hash",
    "seq",
    "profile",
    "data",
    "lane_head",
    "log_hash",
    "state_since",
)
"""What is read of a conversation that is locked, in this order."""

_LOCKED = [CONVERSATION.c[name] for name in LOCKED_COLUMNS]

_PAIR_COLUMNS = ("customer", "business", "isolation")


def spelled(state: EffectState) -> Any:
    """A state as text of a statement: a planner that sees no condition uses no partial index."""
    return literal_column(f"'{state.value}'")


def _named(*columns: str) -> Any:
    return and_(*(CONVERSATION.c[name] == bindparam(name) for name in columns))


class Locking:
    """Locks one conversation: waits for whoever holds it, or gives no row then.

    Args:
        columns: what names the conversation, and what its values are called.
    """

    def __init__(self, *columns: str) -> None:
        which = _named(*columns)
        self.wait = Statement(lambda _: select(*_LOCKED).where(which).with_for_update())
        self.try_ = Statement(
            lambda _: select(*_LOCKED).where(which).with_for_update(skip_locked=True)
        )
        self.exists = Statement(lambda _: select(CONVERSATION.c.id).where(which))


LOCK = Locking("id")
LOCK_PAIR = Locking(*_PAIR_COLUMNS)


def _pinned(*, wait: bool) -> Statement:
    place = tuple_(CONVERSATION.c.state, CONVERSATION.c.id)
    return Statement(
        lambda _: (
            select(*_LOCKED)
            .where(
                CONVERSATION.c.graph_hash == bindparam("graph_hash"),
                place > tuple_(bindparam("state"), bindparam("id")),
            )
            .order_by(CONVERSATION.c.state, CONVERSATION.c.id)
            .limit(bindparam("limit", type_=Integer))
            .with_for_update(skip_locked=not wait)
        )
    )


PINNED = _pinned(wait=True)
PINNED_IDLE = _pinned(wait=False)
INSERT_CONVERSATION = Insertion(CONVERSATION)
UPDATE_CONVERSATION = Statement(
    lambda _: (
        update(CONVERSATION)
        .where(CONVERSATION.c.id == bindparam("key"))
        .values(
            {
                CONVERSATION.c[name]: bindparam(name)
                for name in (
                    "state",
                    "seq",
                    "conversation_id",
                    "graph_version",
                    "graph_hash",
                    "data",
                    "timer_due_at",
                    "lane_head",
                    "log_hash",
                    "state_since",
                )
            }
        )
    )
)
_REMEMBERED = [INBOX.c[name] for name in ("digest", "conversation", "seq", "expires_at")]
KNOWN = Statement(lambda _: select(*_REMEMBERED).where(INBOX.c.key == bindparam("key")))


def _remember(dialect: Dialect) -> Any:
    """An expired key is taken over; a living one is left alone, and not counted as changed."""
    statement = dialect.insert(INBOX).values({column: bindparam(column.name) for column in INBOX.c})
    return statement.on_conflict_do_update(
        index_elements=["key"],
        set_={
            name: statement.excluded[name]
            for name in ("digest", "conversation", "seq", "expires_at")
        },
        where=INBOX.c.expires_at <= bindparam("now"),
    )


REMEMBER_FOR_EVER = Insertion(INBOX)
"""For keys that never expire: one that is there already was taken by another transaction."""
REMEMBER = Statement(_remember, counted=True)
MESSAGE_BY_SEQ = Statement(
    lambda _: select(MESSAGE.c.data, MESSAGE.c.body).where(
        MESSAGE.c.conversation == bindparam("conversation"), MESSAGE.c.seq == bindparam("seq")
    )
)
INSERT_MESSAGE = Insertion(MESSAGE)
UPDATE_MESSAGE = Statement(
    lambda _: (
        update(MESSAGE)
        .where(MESSAGE.c.conversation == bindparam("key"), MESSAGE.c.seq == bindparam("number"))
        .values({MESSAGE.c["data"]: bindparam("data")})
    )
)
INSERT_EVENT = Insertion(EVENT)
INSERT_EFFECT = Insertion(
    OUTBOX,
    "id",
    "conversation",
    "name",
    "state",
    "position",
    "data",
    "message",
    "timer",
    "due_at",
    "token",
    "attempts",
    "failures",
    "looked_up",
    "interrupted",
)
_POST = [POST.c[name] for name in ("conversation", "message", "part", "conversation_id")]
POST_BY_MESSAGE_ID = Statement(
    lambda _: select(*_POST).where(POST.c.message_id == bindparam("message_id"))
)


def _register_post(dialect: Dialect) -> Any:
    """A platform that gives one id twice means the newer post."""
    statement = dialect.insert(POST).values({column: bindparam(column.name) for column in POST.c})
    return statement.on_conflict_do_update(
        index_elements=["message_id"],
        set_={
            name: statement.excluded[name]
            for name in ("conversation_id", "conversation", "message", "part")
        },
    )


REGISTER_POST = Statement(_register_post)


def _count(dialect: Dialect) -> Any:
    statement = dialect.insert(CARRIER_COUNT).values(
        {column: bindparam(column.name) for column in CARRIER_COUNT.c}
    )
    return statement.on_conflict_do_update(
        index_elements=["profile", "kind", "shard"],
        set_={"count": CARRIER_COUNT.c.count + statement.excluded["count"]},
    )


COUNT = Statement(_count)
FINISH = Statement(
    lambda _: (
        update(OUTBOX)
        .where(OUTBOX.c.id == bindparam("key"))
        .values(state="done", reason=None, lease_until=None)
    )
)


def _subject(_: Dialect) -> Any:
    """What an effect is about: its conversation, its text, and a word if they opted out."""
    text = and_(MESSAGE.c.conversation == CONVERSATION.c.id, MESSAGE.c.seq == bindparam("message"))
    numbers = and_(
        OPT_OUT.c.customer == CONVERSATION.c.customer, OPT_OUT.c.business == CONVERSATION.c.business
    )
    return (
        select(*_LOCKED, MESSAGE.c.data, MESSAGE.c.body, OPT_OUT.c.source)
        .select_from(CONVERSATION.outerjoin(MESSAGE, text).outerjoin(OPT_OUT, numbers))
        .where(CONVERSATION.c.id == bindparam("id"))
    )


SUBJECT = Statement(_subject)

# Reading ahead: for one caller


def _with_key(condition: ColumnElement[bool]) -> Select[Any]:
    key = INBOX.c.key == bindparam("key")
    return (
        select(*_LOCKED, *_REMEMBERED)
        .select_from(CONVERSATION.outerjoin(INBOX, key))
        .where(condition)
        .with_for_update(of=CONVERSATION)
    )


LOCK_AND_KEY = Statement(lambda _: _with_key(CONVERSATION.c.id == bindparam("id")))
LOCK_PAIR_AND_KEY = Statement(lambda _: _with_key(_named(*_PAIR_COLUMNS)))


def _lock_post(_: Dialect) -> Any:
    # Its text is read afterwards: a row that is not locked may be older than the lock.
    return (
        _with_key(POST.c.message_id == bindparam("message_id"))
        .add_columns(*_POST)
        .join(POST, POST.c.conversation == CONVERSATION.c.id)
    )


LOCK_POST_AND_KEY = Statement(_lock_post)


# Null where nobody holds it.
_LEASE = case((OUTBOX.c.state == "leased", OUTBOX.c.token)).label("lease")
LOCK_EFFECT = Statement(
    lambda _: (
        select(*_LOCKED, _LEASE)
        .join(OUTBOX, OUTBOX.c.conversation == CONVERSATION.c.id)
        .where(OUTBOX.c.id == bindparam("id"))
        .with_for_update()
    )
)

# Reading ahead: for many callers


def _is_wanted(dialect: Dialect, column: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether it is one of the values that `Driver.all_of` is asked for."""
    if dialect.is_postgres:
        return column == any_(bindparam("wanted", type_=ARRAY(Text)))
    wanted = func.json_each(bindparam("wanted")).table_valued("value")
    return column.in_(select(wanted.c.value))


def wanted_rows(dialect: Dialect, *kinds: Any) -> tuple[Any, Sequence[ColumnElement[Any]]]:
    """The tuples that `Driver.all_of` is asked for, as a table, and its columns."""
    names = [f"wanted{number}" for number in range(len(kinds))]
    if dialect.is_postgres:
        lists = [
            bindparam(name, type_=ARRAY(kind)) for name, kind in zip(names, kinds, strict=True)
        ]
        table = func.unnest(*lists).table_valued(*names, name="wanted").render_derived()
        return table, [table.c[name] for name in names]
    rows = func.json_each(bindparam("wanted")).table_valued("value", name="wanted")
    return rows, [
        func.json_extract(rows.c.value, literal_column(f"'$[{number}]'"))
        for number in range(len(kinds))
    ]


LOCK_ALL = Statement(
    lambda dialect: (
        select(*_LOCKED)
        .where(_is_wanted(dialect, CONVERSATION.c.id))
        .order_by(CONVERSATION.c.id)
        .with_for_update()
    )
)
LEASES = Statement(
    lambda dialect: (
        select(OUTBOX.c.id, _LEASE)
        .where(_is_wanted(dialect, OUTBOX.c.id))
        .order_by(OUTBOX.c.id)
        .with_for_update()
    )
)
HOLDERS = Statement(
    lambda dialect: select(CONVERSATION.c.id).where(
        _is_wanted(dialect, CONVERSATION.c.conversation_id)
    )
)
ALL_KNOWN = Statement(
    lambda dialect: select(INBOX.c.key, *_REMEMBERED).where(_is_wanted(dialect, INBOX.c.key))
)
POSTS = Statement(
    lambda dialect: select(POST.c.message_id, *_POST).where(_is_wanted(dialect, POST.c.message_id))
)


def _holders_of_pairs(dialect: Dialect) -> Any:
    wanted, values = wanted_rows(dialect, Text, Text, Text)
    same = [
        CONVERSATION.c[name] == value for name, value in zip(_PAIR_COLUMNS, values, strict=True)
    ]
    return select(CONVERSATION.c.id).select_from(wanted).join(CONVERSATION, and_(*same))


HOLDERS_OF_PAIRS = Statement(_holders_of_pairs)


def _messages(dialect: Dialect) -> Any:
    wanted, (conversation, seq) = wanted_rows(dialect, Text, Integer)
    same = and_(MESSAGE.c.conversation == conversation, MESSAGE.c.seq == seq)
    columns = (MESSAGE.c.conversation, MESSAGE.c.seq, MESSAGE.c.data)
    return select(*columns).select_from(wanted).join(MESSAGE, same)


MESSAGES = Statement(_messages)
