"""Claiming what is due: each effect by one worker at a time, for the length of a lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, update

from sms_fsm.effects import Effect, EffectState
from sms_fsm.store.columns import Instant
from sms_fsm.store.rows import effect_from
from sms_fsm.store.statements import CONVERSATION, OUTBOX


def claim(
    connection: Connection, now: datetime, *, limit: int, lease_seconds: float
) -> Sequence[Effect]:
    """Lease up to ``limit`` effects that are due at ``now``, oldest due time first.

    Leases run on real time: the database's own on Postgres, this machine's on SQLite. An effect
    whose lease ran out is claimed again, marked as interrupted: its call may have been applied.
    """
    real = _real_time(connection)
    due = (
        select(OUTBOX.c.id)
        .where(OUTBOX.c.state == EffectState.PENDING.value, OUTBOX.c.due_at <= now)
        .order_by(OUTBOX.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    lost = (
        select(OUTBOX.c.id)
        .where(OUTBOX.c.state == EffectState.LEASED.value, OUTBOX.c.lease_until < real)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    identities = list(connection.execute(lost).scalars())
    if len(identities) < limit:
        identities += connection.execute(due).scalars()
    if not identities:
        return ()
    rows = connection.execute(_lease(identities[:limit], now, real, lease_seconds)).all()
    return sorted((effect_from(row) for row in rows), key=lambda effect: (effect.due_at, effect.id))


def _lease(
    identities: Sequence[str], now: datetime, real: ColumnElement[Any], lease_seconds: float
) -> Any:
    lapsed = OUTBOX.c.state == EffectState.LEASED.value
    return (
        update(OUTBOX)
        .where(OUTBOX.c.id.in_(identities))
        .values(
            interrupted=or_(OUTBOX.c.interrupted, lapsed),
            state=EffectState.LEASED.value,
            token=OUTBOX.c.token + 1,
            attempts=OUTBOX.c.attempts + 1,
            lease_until=_later(real, lease_seconds),
            started_at=func.coalesce(OUTBOX.c.started_at, literal(now, Instant)),
        )
        .returning(*OUTBOX.c)
    )


def release(connection: Connection, effects: Sequence[Effect]) -> None:
    """Hand back leased effects that were not begun."""
    for effect in effects:
        connection.execute(
            update(OUTBOX)
            .where(
                OUTBOX.c.id == effect.id,
                OUTBOX.c.token == effect.token,
                OUTBOX.c.state == EffectState.LEASED.value,
            )
            .values(state=EffectState.PENDING.value, lease_until=None)
        )


def due_timers(connection: Connection, now: datetime, *, limit: int) -> Sequence[str]:
    """Conversations with a timer that is due at ``now``, the longest overdue first."""
    return (
        connection.execute(
            select(CONVERSATION.c.id)
            .where(CONVERSATION.c.timer_due_at.is_not(None), CONVERSATION.c.timer_due_at <= now)
            .order_by(CONVERSATION.c.timer_due_at)
            .limit(limit)
        )
        .scalars()
        .all()
    )


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether there is anything to claim, without a lock."""
    pending = and_(OUTBOX.c.state == EffectState.PENDING.value, OUTBOX.c.due_at <= now)
    real = _real_time(connection)
    lapsed = and_(OUTBOX.c.state == EffectState.LEASED.value, OUTBOX.c.lease_until < real)
    for condition in (pending, lapsed):
        if connection.execute(select(OUTBOX.c.id).where(condition).limit(1)).first():
            return True
    return False


def _real_time(connection: Connection) -> ColumnElement[Any]:
    if connection.dialect.name == "postgresql":
        return func.clock_timestamp()
    return literal(datetime.now(UTC), Instant)


def _later(real: ColumnElement[Any], seconds: float) -> ColumnElement[Any]:
    if isinstance(real.type, Instant):
        return literal(datetime.now(UTC) + timedelta(seconds=seconds), Instant)
    return real + timedelta(seconds=seconds)
