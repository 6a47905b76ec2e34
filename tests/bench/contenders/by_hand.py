"""What people write by hand: ``transitions`` and an SQLModel session, the same rows.

One machine for all, each conversation registered while it is moved, as the library's guide says;
one session and one commit a text, the key as a unique row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event
from sqlmodel import Session, create_engine, select
from transitions import Machine

from bench.contenders.columns import CONVERSATION_DATA, DIGEST, EFFECT_DATA, EVENT, MESSAGE_DATA
from bench.contenders.contender import Contender
from bench.texts import BUSINESS, WORDS, Text
from sms_fsm.store.tables import ConversationRow, EventRow, InboxRow, MessageRow, OutboxRow

_MESSAGE, _EFFECT = json.loads(MESSAGE_DATA), json.loads(EFFECT_DATA)
_CONVERSATION = json.loads(CONVERSATION_DATA)
_STATES = ("new", "active", "routed", "awaiting_delivery", "delivered", "failed", "archived")


class _Talk:
    """What the machine moves."""

    def __init__(self, state: str) -> None:
        self.state = state


class ByHand(Contender):
    """A session a text, on the engine's own tables."""

    def __init__(self, url: str) -> None:
        if url.startswith("postgresql"):
            url = url.replace("postgresql://", "postgresql+psycopg://")
        self._engine = create_engine(url)
        self._locks = not url.startswith("sqlite")
        if not self._locks:
            event.listen(self._engine, "connect", _durable)
            event.listen(self._engine, "begin", _immediate)
        self._machine = Machine(model=None, states=_STATES, initial="new", auto_transitions=False)
        for state in _STATES[1:]:
            self._machine.add_transition("text_came", state, "routed")

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            with Session(self._engine) as session:
                self._step(session, text)
                session.commit()

    def close(self) -> None:
        self._engine.dispose()

    def _step(self, session: Session, text: Text) -> None:
        key = f"message:{text.message_id}"
        if session.get(InboxRow, key) is not None:
            return
        query = select(ConversationRow).where(
            ConversationRow.customer == text.customer, ConversationRow.business == BUSINESS
        )
        row = session.exec(query.with_for_update() if self._locks else query).one()
        talk = _Talk(row.state)
        self._machine.add_model(talk, initial=row.state)
        talk.text_came()  # type: ignore[attr-defined]  # the machine adds it
        self._machine.remove_model(talk)
        row.state, row.seq = talk.state, row.seq + 1
        for added in _rows(row, key):
            session.add(added)


def _rows(row: ConversationRow, key: str) -> Sequence[Any]:
    now = datetime.now(UTC)
    place: dict[str, Any] = {"conversation": row.id, "seq": row.seq}
    effect = f"{row.id}:{row.seq}:0"
    waits = "queued" if row.lane_head else "pending"
    row.lane_head, row.log_hash = row.lane_head or effect, DIGEST
    row.timer_due_at, row.state_since = now + timedelta(hours=72), now
    row.data = dict(_CONVERSATION)
    return (
        InboxRow(key=key, digest=DIGEST, **place),
        MessageRow(data=_MESSAGE, body=WORDS.encode(), **place),
        EventRow(at=now, record=EVENT, hash=DIGEST, **place),
        OutboxRow(
            id=effect,
            conversation=row.id,
            name="PostMessage",
            state=waits,
            position=row.seq * 64,
            data=_EFFECT,
            message=row.seq,
            due_at=now,
            lease_until=None,
            started_at=None,
            unknown_since=None,
        ),
    )


def _durable(connection: Any, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
