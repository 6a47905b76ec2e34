"""Claiming what is due: each effect by one worker at a time, for the length of a lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Numeric,
    Select,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from sms_fsm.effects import Effect, EffectState
from sms_fsm.store.columns import Instant
from sms_fsm.store.driver import Driver, Row, Statement
from sms_fsm.store.rows import effect_from
from sms_fsm.store.statements import CONVERSATION, OUTBOX, spelled

_PENDING = OUTBOX.c.state == spelled(EffectState.PENDING)
_LEASED = OUTBOX.c.state == spelled(EffectState.LEASED)
_DUE = OUTBOX.c.due_at <= bindparam("now")


def _limited(query: Select[Any]) -> Any:
    return query.limit(bindparam("limit", type_=Integer)).with_for_update(skip_locked=True)


def _claim(real: ColumnElement[Any], until: ColumnElement[Any], *, one_by_one: bool) -> Any:
    """Lease what is due and what a worker did not bring back, in one statement.

    ``one_by_one`` has Postgres look each up by its id, however many it expects: with a full
    outbox it would read all of it.
    """
    lost = _limited(select(OUTBOX.c.id).where(_LEASED, OUTBOX.c.lease_until < real)).cte("lost")
    due = _limited(select(OUTBOX.c.id).where(_PENDING, _DUE).order_by(OUTBOX.c.due_at)).cte("due")
    found = union_all(select(lost.c.id), select(due.c.id)).limit(bindparam("limit", type_=Integer))
    wanted = func.array(found.scalar_subquery()) if one_by_one else found
    return (
        update(OUTBOX)
        .where(OUTBOX.c.id == func.any(wanted) if one_by_one else OUTBOX.c.id.in_(found))
        .values(
            interrupted=or_(OUTBOX.c.interrupted, _LEASED),
            state=spelled(EffectState.LEASED),
            token=OUTBOX.c.token + literal_column("1"),
            attempts=OUTBOX.c.attempts + literal_column("1"),
            lease_until=until,
            started_at=func.coalesce(OUTBOX.c.started_at, bindparam("now", type_=Instant)),
        )
        .returning(*OUTBOX.c)
    )


# Unlike the clock's time it stands still within a statement, so that an index is searched by it.
_DATABASE_TIME = func.statement_timestamp()
_MACHINE_TIME: Any = bindparam("real")
_SECONDS: Any = bindparam("seconds", type_=Numeric)

_CLAIM_ON_SQLITE = Statement(lambda _: _claim(_MACHINE_TIME, bindparam("until"), one_by_one=False))
_CLAIM_ON_POSTGRES = Statement(
    lambda _: _claim(
        _DATABASE_TIME,
        _DATABASE_TIME + _SECONDS * literal_column("interval '1 second'"),
        one_by_one=True,
    )
)
_IS_DUE = Statement(
    lambda _: select(
        or_(
            select(OUTBOX.c.id).where(_PENDING, _DUE).exists(),
            select(OUTBOX.c.id).where(_LEASED, OUTBOX.c.lease_until < _MACHINE_TIME).exists(),
        )
    )
)
_RELEASE = Statement(
    lambda _: (
        update(OUTBOX)
        .where(OUTBOX.c.id == bindparam("key"), OUTBOX.c.token == bindparam("fence"), _LEASED)
        .values(state=spelled(EffectState.PENDING), lease_until=None)
    )
)
_DUE_TIMERS = Statement(
    lambda _: (
        select(CONVERSATION.c.id)
        .where(
            CONVERSATION.c.timer_due_at.is_not(None),
            CONVERSATION.c.timer_due_at <= bindparam("now"),
        )
        .order_by(CONVERSATION.c.timer_due_at)
        .limit(bindparam("limit", type_=Integer))
    )
)


def claim(driver: Driver, now: datetime, *, limit: int, lease_seconds: float) -> Sequence[Effect]:
    """Lease up to ``limit`` effects that are due at ``now``, oldest due time first.

    Leases run on real time: the database's own on Postgres, this machine's on SQLite. An effect
    whose lease ran out is claimed again, marked as interrupted: its call may have been applied.
    """
    values: Row = {"now": driver.instant(now), "limit": limit}
    if driver.is_postgres:
        rows = driver.all(_CLAIM_ON_POSTGRES, {**values, "seconds": lease_seconds})
    else:
        real = datetime.now(UTC)
        until = driver.instant(real + timedelta(seconds=lease_seconds))
        rows = driver.all(
            _CLAIM_ON_SQLITE, {**values, "real": driver.instant(real), "until": until}
        )
    return sorted(map(effect_from, rows), key=lambda effect: (effect.due_at, effect.id))


def is_due(driver: Driver, now: datetime) -> bool:
    """Whether SQLite has anything to claim; to find nothing must not take its one writer's turn."""
    values: Row = {"now": driver.instant(now), "real": driver.instant(datetime.now(UTC))}
    found = driver.first(_IS_DUE, values)
    return found is not None and bool(found[0])


def release(driver: Driver, effects: Sequence[Effect]) -> None:
    """Hand back leased effects that were not begun."""
    driver.run(_RELEASE, [{"key": effect.id, "fence": effect.token} for effect in effects])


def due_timers(driver: Driver, now: datetime, *, limit: int) -> Sequence[str]:
    """Conversations with a timer that is due at ``now``, the longest overdue first."""
    rows = driver.all(_DUE_TIMERS, {"now": driver.instant(now), "limit": limit})
    return [identity for (identity,) in rows]
