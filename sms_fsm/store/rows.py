"""Rows as domain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Row

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Effect, EffectState
from sms_fsm.store.statements import LOCKED_COLUMNS, OUTBOX


def conversation_from(row: Row[Any]) -> Conversation:
    """A conversation without its texts."""
    bare = Conversation(
        id=row.id,
        state=row.state,
        graph_version=row.graph_version,
        graph_hash=row.graph_hash,
        customer=row.customer,
        business=row.business,
        isolation=row.isolation,
        external_customer_id=row.external_customer_id,
        name=row.profile["name"],
        preferred_language=row.profile["preferred_language"],
        seq=row.seq,
    )
    return bare.with_data(row.data)


@dataclass(frozen=True, slots=True)
class Locked:
    """A conversation as a transaction locks it, with what only the store knows of it."""

    conversation: Conversation
    lane_head: str | None
    log_hash: str
    state_since: datetime


def locked_conversation(row: tuple[Any, ...]) -> Locked:
    """From the driver's row of `sms_fsm.store.statements.LOCKED_COLUMNS`."""
    *plain, profile, data, lane_head, log_hash, since = row
    identity = dict(zip(LOCKED_COLUMNS, plain, strict=False))
    return Locked(
        conversation=Conversation(**identity, **orjson.loads(profile)).with_data(
            orjson.loads(data)
        ),
        lane_head=lane_head,
        log_hash=log_hash,
        state_since=_moment(since),
    )


def message_from(row: Row[*tuple[Any, ...]]) -> Message:
    """A text, with its body where the row has it."""
    body = getattr(row, "body", None)
    return Message.from_data(row.seq, row.data, None if body is None else body.decode())


def message_of(seq: int, data: str, body: bytes | None) -> Message:
    """A text with its body, from the driver's columns."""
    return Message.from_data(seq, orjson.loads(data), None if body is None else body.decode())


def effect_from(row: Sequence[Any]) -> Effect:
    """An effect of the outbox, from a row of all its columns, SQLAlchemy's or the driver's."""
    columns = dict(zip(_EFFECT_COLUMNS, row, strict=True))
    columns["state"] = EffectState(columns["state"])
    columns["data"] = _json(columns["data"])
    for name in ("timer", "looked_up", "interrupted"):
        columns[name] = bool(columns[name])
    for name in ("due_at", "started_at", "unknown_since"):
        columns[name] = columns[name] and _moment(columns[name])
    for name in _ONLY_STORED:
        del columns[name]
    return Effect(**columns)


_EFFECT_COLUMNS = tuple(column.name for column in OUTBOX.c)
_ONLY_STORED = ("position", "lease_until")


def _moment(value: datetime | str) -> datetime:
    """As `sms_fsm.store.columns.Instant` reads it."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC)


def _json(value: Mapping[str, Any] | str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = orjson.loads(value) if isinstance(value, str) else value
    return found
