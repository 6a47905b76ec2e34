"""The event log with what is stored beside it, conversation by conversation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from sms_fsm.replay import StoredConversation
from sms_fsm.store.database import Database
from sms_fsm.store.statements import CONVERSATION, EVENT, GRAPH_VERSION, MESSAGE

_PAGE = 200
_MOST_EVENTS = 20_000

_COLUMNS = ("state", "seq", "graph_hash", "conversation_id", "timer_due_at", "log_hash")


class StoredLog:
    """All conversations of a store with their logs; fulfils `sms_fsm.replay.StoredLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def graphs(self) -> Sequence[tuple[str, int, str, str]]:
        """Id, version, behaviour hash and document of every graph that was ever used."""
        columns = GRAPH_VERSION.c
        query = select(columns.id, columns.version, columns.behaviour_hash, columns.document)
        return self._database.read(
            lambda connection: [tuple(row) for row in connection.execute(query)]
        )

    def conversations(self) -> Iterator[StoredConversation]:
        """Every conversation, and all events that belong to none; a page at a time."""
        after = ""
        while page := self._database.read(partial(_page, after=after)):
            yield from page
            after = page[-1].id
        yield from self._database.read(_orphans)


def _page(connection: Connection, after: str) -> Sequence[StoredConversation]:
    """The conversations after this one, as many as have few enough events, as of one moment."""
    query = select(CONVERSATION).where(CONVERSATION.c.id > after).order_by(CONVERSATION.c.id)
    rows = connection.execute(query.limit(_PAGE)).all()
    events = accumulate(row.seq for row in rows)
    fitting = sum(total <= _MOST_EVENTS for total in events)
    return _with_logs(connection, rows[: max(fitting, 1)])


def _with_logs(connection: Connection, rows: Sequence[Row[Any]]) -> Sequence[StoredConversation]:
    identities = [row.id for row in rows]
    logs = _logs(connection, EVENT.c.conversation.in_(identities))
    messages: dict[str, dict[int, Any]] = defaultdict(dict)
    texts = select(MESSAGE.c.conversation, MESSAGE.c.seq, MESSAGE.c.data).where(
        MESSAGE.c.conversation.in_(identities)
    )
    for text in connection.execute(texts):
        messages[text.conversation][text.seq] = text.data
    return [
        StoredConversation(
            id=row.id,
            columns={name: getattr(row, name) for name in _COLUMNS},
            data=row.data,
            messages=messages[row.id],
            log=logs[row.id],
        )
        for row in rows
    ]


def _orphans(connection: Connection) -> Sequence[StoredConversation]:
    known = select(CONVERSATION.c.id).where(CONVERSATION.c.id == EVENT.c.conversation)
    logs = _logs(connection, ~known.exists())
    return [StoredConversation(identity, None, {}, {}, log) for identity, log in logs.items()]


def _logs(connection: Connection, condition: Any) -> dict[str, list[tuple[str, str]]]:
    query: Select[Any] = (
        select(EVENT.c.conversation, EVENT.c.record, EVENT.c.hash)
        .where(condition)
        .order_by(EVENT.c.conversation, EVENT.c.seq)
    )
    logs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in connection.execute(query):
        logs[row.conversation].append((row.record, row.hash))
    return logs
