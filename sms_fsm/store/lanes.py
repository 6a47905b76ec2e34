"""The outbox, conversation by conversation: what goes at once, what waits, what gave up.

Effects of a conversation's lane go one at a time: `lane_head` names the one that may go, and
whoever finishes it lets the next one go in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Text, bindparam, func, select, update

from sms_fsm.effects import Cancellation, Effect, EffectState, Lane, PlannedEffect, effect_id
from sms_fsm.machine import Step
from sms_fsm.store.driver import Dialect, Statement
from sms_fsm.store.rows import effect_from
from sms_fsm.store.statements import OUTBOX, spelled, wanted_rows
from sms_fsm.store.transaction import Held, Transaction, as_json

# An event plans far fewer effects than this; positions of two events never mix.
_POSITIONS_AN_EVENT = 64

_NOT_BEGUN = (EffectState.QUEUED, EffectState.PENDING)
_UNFINISHED = (*_NOT_BEGUN, EffectState.LEASED)


def _in_states(*states: EffectState) -> Any:
    return OUTBOX.c.state.in_([spelled(state) for state in states])


def _set(*names: str, state: EffectState | None = None) -> Statement:
    """Gives an effect back with these values; ``state`` where it is always the same."""
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    if state is not None:
        values["state"] = spelled(state)
    return Statement(
        lambda _: (
            update(OUTBOX).where(OUTBOX.c.id == bindparam("key")).values(lease_until=None, **values)
        )
    )


_WAITS = ("due_at", "reason", "unknown_since", "looked_up", "failures", "started_at", "interrupted")
_DEFER = _set(*_WAITS, state=EffectState.PENDING)
_DEFER_WITH_DATA = _set(*_WAITS, "data", state=EffectState.PENDING)
_STEP_BACK = _set(
    "reason", "interrupted", "unknown_since", "failures", "started_at", state=EffectState.QUEUED
)
_BURY = _set("reason", "looked_up", state=EffectState.DEAD)
_REVIVE = _set("state", "due_at", "reason", "started_at", "failures")

_THIS = OUTBOX.c.id == bindparam("id")
_OF_CONVERSATION = OUTBOX.c.conversation == bindparam("conversation")
_FIRST_POSITION = Statement(
    lambda _: select(func.min(OUTBOX.c.position)).where(_OF_CONVERSATION, _in_states(*_UNFINISHED))
)
_POSITION = Statement(lambda _: select(OUTBOX.c.position).where(_THIS))
_MAKE_WAY = Statement(
    lambda _: (
        update(OUTBOX)
        .where(_THIS, _in_states(EffectState.PENDING), OUTBOX.c.unknown_since.is_(None))
        .values(state=spelled(EffectState.QUEUED))
        .returning(OUTBOX.c.id)
    )
)
_LEASE = Statement(
    lambda _: select(OUTBOX.c.token).where(_THIS, _in_states(EffectState.LEASED)).with_for_update()
)
_EFFECT = Statement(lambda _: select(OUTBOX).where(_THIS))
_DEAD = Statement(
    lambda _: select(OUTBOX).where(_THIS, _in_states(EffectState.DEAD)).with_for_update()
)


def _advance(dialect: Dialect) -> Any:
    """Lets the first effect that waits go, of each of the wanted conversations."""
    wanted, (conversation,) = wanted_rows(dialect, Text)
    waiting = OUTBOX.alias()
    first = (
        select(waiting.c.id)
        .where(
            waiting.c.conversation == conversation, waiting.c.state == spelled(EffectState.QUEUED)
        )
        .order_by(waiting.c.position)
        .limit(1)
        .scalar_subquery()
    )
    ids: Any = select(first).select_from(wanted)
    # Postgres may read the whole outbox for ids that it cannot count.
    is_first = OUTBOX.c.id == func.any(func.array(ids.scalar_subquery()))
    return (
        update(OUTBOX)
        .where(is_first if dialect.is_postgres else OUTBOX.c.id.in_(ids))
        .values(state=spelled(EffectState.PENDING))
        .returning(OUTBOX.c.conversation, OUTBOX.c.id)
    )


_ADVANCE = Statement(_advance)


@cache
def _withdraw(names: int, *, of_message: bool) -> Statement:
    """Cancels what has not begun, by so many names."""
    named = OUTBOX.c.name.in_([bindparam(f"name{number}") for number in range(names)])
    which = [_OF_CONVERSATION, named, _in_states(*_NOT_BEGUN)]
    if of_message:
        which.append(OUTBOX.c.message == bindparam("about"))
    return Statement(
        lambda _: (
            update(OUTBOX)
            .where(*which)
            .values(state=spelled(EffectState.CANCELLED))
            .returning(OUTBOX.c.id)
        )
    )


class Lanes(Transaction):
    """The outbox' part of a unit of work."""

    # Planning

    def _plan(self, step: Step, number: int, planned: PlannedEffect, held: Held) -> None:
        identity = effect_id(step.after.id, step.after.seq, number)
        state, position = self._place(step, number, planned, held, identity)
        self._buffer.effects.append(
            {
                "id": identity,
                "conversation": step.after.id,
                "name": planned.name,
                "state": state.value,
                "position": position,
                "data": as_json(planned.data),
                "message": planned.message,
                "timer": planned.timer,
                "due_at": self._driver.instant(step.event.at + planned.due_in),
                "token": 0,
                "attempts": 0,
                "failures": 0,
                "looked_up": False,
                "interrupted": False,
            }
        )

    def _place(
        self, step: Step, number: int, planned: PlannedEffect, held: Held, identity: str
    ) -> tuple[EffectState, int | None]:
        """Whether an effect may go at once, and its place in the lane."""
        if planned.lane is Lane.BESIDE:
            return EffectState.PENDING, None
        position = step.after.seq * _POSITIONS_AN_EVENT + number
        # A conversation's first effect passes nothing, so its row need not be there yet: new rows
        # go out at the end, in one order for all.
        first = step.before.seq == 0 and held.lane_head is None
        if planned.lane is Lane.FRONT and not first:
            self._flush()
            position = self._front(step.after.id, position)
            self._make_way(held)
        if held.advancing or held.lane_head is not None:
            return EffectState.QUEUED, position
        held.lane_head = identity
        return EffectState.PENDING, position

    def _front(self, conversation: str, fallback: int) -> int:
        row = self._driver.first(_FIRST_POSITION, {"conversation": conversation})
        return fallback if row is None or row[0] is None else row[0] - 1

    def _make_way(self, held: Held) -> None:
        """A head that has not begun goes back into the queue.

        One whose answer was lost has begun: it is looked up in the conversation it was sent to.
        """
        if held.lane_head is None:
            return
        if self._driver.first(_MAKE_WAY, {"id": held.lane_head}) is not None:
            held.lane_head = None

    def _withdraw(self, held: Held, cancellation: Cancellation) -> None:
        self._flush()
        names = {f"name{number}": name for number, name in enumerate(cancellation.names)}
        statement = _withdraw(len(names), of_message=cancellation.message is not None)
        about = {"conversation": held.conversation.id, "about": cancellation.message}
        gone = self._driver.all(statement, {**names, **about})
        if (held.lane_head,) in gone:
            held.lane_head, held.advancing = None, True

    # For whoever carries an effect out

    def take_back(self, effect: Effect) -> bool:
        """Whether the lease still stands; if so the effect is this transaction's.

        Its conversation must be locked. A stale fencing token means that another worker took
        over: nothing of what this one found may be written.
        """
        if self._lease(effect.id) != effect.token:
            return False
        held = self._held[effect.conversation]
        if held.lane_head == effect.id:
            held.lane_head, held.released, held.advancing = None, effect.id, True
        return True

    def _lease(self, identity: str) -> int | None:
        """The fencing token of an effect that somebody holds; the row is locked from now on."""
        if identity not in self._leases:
            row = self._driver.first(_LEASE, {"id": identity})
            self._leases[identity] = None if row is None else row[0]
        return self._leases[identity]

    def finish(self, effect: Effect) -> None:
        """It was carried out, or is no longer wanted."""
        self._buffer.finished.append({"key": effect.id})

    def defer(
        self,
        effect: Effect,
        *,
        due_at: datetime,
        reason: str | None,
        failed: bool,
        unknown_since: datetime | None = None,
        looked_up: bool = False,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """It goes again at ``due_at`` and keeps its place.

        ``failed`` counts a failure; otherwise the time for retries starts anew.
        """
        row = {
            "key": effect.id,
            "due_at": self._driver.instant(due_at),
            "reason": reason,
            "unknown_since": self._driver.instant(unknown_since),
            "looked_up": looked_up,
            "interrupted": False,
            "failures": effect.failures + 1 if failed else 0,
            "started_at": self._driver.instant(effect.started_at if failed else None),
        }
        if data is None:
            self._driver.run(_DEFER, [row])
        else:
            self._driver.run(_DEFER_WITH_DATA, [{**row, "data": as_json(data)}])
        self._keep_head(effect)

    def step_back(self, effect: Effect, *, failed: bool) -> None:
        """It waits behind what was planned before it, and goes as soon as that is done."""
        failures = effect.failures + failed
        row = {
            "key": effect.id,
            "reason": None,
            "interrupted": False,
            "unknown_since": self._driver.instant(effect.unknown_since),
            "failures": failures,
            # To wait is no failure, but it does not end a row of them.
            "started_at": self._driver.instant(effect.started_at if failures else None),
        }
        self._driver.run(_STEP_BACK, [row])

    def bury(self, effect: Effect, reason: str, *, hold: bool) -> None:
        """It gave up. ``hold`` keeps what is behind it waiting."""
        self._driver.run(_BURY, [{"key": effect.id, "reason": reason, "looked_up": False}])
        if hold:
            self._keep_head(effect)

    def revive(self, effect: Effect, now: datetime) -> None:
        """A dead letter goes again: at once, or in its order."""
        held = self._held[effect.conversation]
        ordered = self._driver.first(_POSITION, {"id": effect.id})
        at_once = ordered in (None, (None,)) or held.lane_head == effect.id
        row = {
            "key": effect.id,
            "state": (EffectState.PENDING if at_once else EffectState.QUEUED).value,
            "due_at": self._driver.instant(now),
            "reason": None,
            "started_at": None,
            "failures": 0,
        }
        self._driver.run(_REVIVE, [row])
        if not at_once and held.lane_head is None:
            held.advancing = True

    def _keep_head(self, effect: Effect) -> None:
        held = self._held[effect.conversation]
        if held.released == effect.id:
            held.lane_head, held.advancing = effect.id, False

    def effect(self, identity: str) -> Effect | None:
        """One effect of the outbox."""
        self._flush()
        row = self._driver.first(_EFFECT, {"id": identity})
        return None if row is None else effect_from(row)

    def dead(self, identity: str) -> Effect | None:
        """A dead letter, held until the transaction ends."""
        row = self._driver.first(_DEAD, {"id": identity})
        return None if row is None else effect_from(row)

    # The end

    def _let_go(self) -> None:
        """Let the next effect of each lane go whose head this transaction took away."""
        advancing = {key: held for key, held in self._held.items() if held.advancing}
        if advancing and self._buffer.has_queued:
            self._flush()
        heads = dict(self._driver.all_of(_ADVANCE, [(key,) for key in sorted(advancing)]))
        for key, held in advancing.items():
            held.lane_head = heads.get(key)
            held.advancing, held.changed = False, True
