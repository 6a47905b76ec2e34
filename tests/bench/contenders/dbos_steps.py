"""DBOS: a workflow of one transaction step a text; the workflow's id stands for the key.

The step writes the other rows of the engine. On SQLite its files are switched to WAL first, which
is faster than how it is delivered. It records a workflow that can be resumed, which is more than
one step needs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

from bench.contenders.columns import CONVERSATION_DATA, DIGEST, EFFECT_DATA, EVENT, MESSAGE_DATA
from bench.contenders.contender import Contender
from bench.texts import BUSINESS, WORDS, Text

_LOCK = (
    "SELECT id, state, seq, lane_head FROM conversation "
    "WHERE customer = :customer AND business = :business AND isolation = ''"
)
_TEXT = "INSERT INTO message (conversation, seq, data, body) VALUES (:id, :seq, :message, :body)"
_EVENT = (
    "INSERT INTO event_log (conversation, seq, at, record, hash) "
    "VALUES (:id, :seq, :now, :event, :hash)"
)
_PLAN = (
    "INSERT INTO outbox (id, conversation, name, state, position, data, message, timer, due_at, "
    "token, attempts, failures, looked_up, interrupted) VALUES (:effect, :id, 'PostMessage', "
    ":waits, :position, :plan, :seq, :no, :now, 0, 0, 0, :no, :no)"
)
_SAVE = (
    "UPDATE conversation SET state = :state, seq = :seq, data = :data, timer_due_at = :now, "
    "lane_head = :head, log_hash = :hash, state_since = :now WHERE id = :id"
)
_opened: dict[str, Any] = {}


class OneStep(Contender):
    """Workflows called one after another, as `receive` is."""

    def __init__(self, url: str) -> None:
        system = url
        if url.startswith("sqlite"):
            system = f"{url}.system"
            for file in (url, system):
                sqlite3.connect(file.removeprefix("sqlite:///")).execute("PRAGMA journal_mode=WAL")
        else:
            system = url = url.replace("postgresql://", "postgresql+psycopg://")
        self._dbos = DBOS(
            config={"name": "bench", "system_database_url": system, "log_level": "ERROR"}
        )
        _opened["source"] = SQLAlchemyDatasource.create(url)
        _opened["sqlite"] = url.startswith("sqlite")
        DBOS.launch()

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            with SetWorkflowID(text.message_id):
                _text_came(text.customer)

    def close(self) -> None:
        DBOS.destroy()


@DBOS.workflow()
def _text_came(customer: str) -> None:
    level = "SERIALIZABLE" if _opened["sqlite"] else "READ COMMITTED"
    options = {"name": "step", "isolation_level": level}
    _opened["source"].run_tx_step(options, _step, customer)


def _step(customer: str) -> None:
    session = _opened["source"].sql_session()
    if _opened["sqlite"]:
        # The driver would run the SELECT outside of the transaction.
        session.execute(sqlalchemy.text("BEGIN IMMEDIATE"))
    lock = _LOCK if _opened["sqlite"] else f"{_LOCK} FOR UPDATE"
    values = {"customer": customer, "business": BUSINESS}
    identity, state, seq, head = session.execute(sqlalchemy.text(lock), values).one()
    for statement in (_TEXT, _EVENT, _PLAN, _SAVE):
        session.execute(sqlalchemy.text(statement), _values(identity, state, seq + 1, head))


def _values(identity: str, state: str, seq: int, head: str | None) -> dict[str, Any]:
    now: Any = datetime.now(UTC)
    effect = f"{identity}:{seq}:0"
    return {
        "id": identity,
        "state": state,
        "seq": seq,
        "message": MESSAGE_DATA,
        "body": WORDS.encode(),
        "now": now.isoformat() if _opened["sqlite"] else now,
        "event": EVENT,
        "hash": DIGEST,
        "effect": effect,
        "waits": "queued" if head else "pending",
        "position": seq * 64,
        "plan": EFFECT_DATA,
        "no": False,
        "data": CONVERSATION_DATA,
        "head": head or effect,
    }
