"""Rows as domain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Effect, EffectState
from sms_fsm.store.statements import LOCKED_COLUMNS


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
        state_since=since if isinstance(since, datetime) else datetime.fromisoformat(since),
    )


def message_from(row: Row[*tuple[Any, ...]]) -> Message:
    """A text, with its body where the row has it."""
    body = getattr(row, "body", None)
    return Message.from_data(row.seq, row.data, None if body is None else body.decode())


def effect_from(row: Row[Any]) -> Effect:
    """An effect of the outbox."""
    return Effect(
        id=row.id,
        name=row.name,
        conversation=row.conversation,
        attempts=row.attempts,
        reason=row.reason,
        due_at=row.due_at,
        state=EffectState(row.state),
        data=row.data,
        message=row.message,
        timer=row.timer,
        token=row.token,
        failures=row.failures,
        unknown_since=row.unknown_since,
        started_at=row.started_at,
        looked_up=row.looked_up,
        interrupted=row.interrupted,
    )
