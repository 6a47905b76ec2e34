"""What one transaction may do to conversations, their log, the inbox and the outbox.

A conversation is locked before it is changed, so that its events come one after another. Effects
of its lane go one at a time: `conversation.lane_head` names the one that may go, and whoever
finishes it lets the next one go in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert_postgres
from sqlalchemy.dialects.sqlite import insert as upsert_sqlite

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Cancellation, Effect, EffectState, Lane, PlannedEffect, effect_id
from sms_fsm.events import digest
from sms_fsm.log import chained, log_record
from sms_fsm.machine import Step
from sms_fsm.ports import Known, Post
from sms_fsm.store.rows import conversation_from, effect_from, message_from
from sms_fsm.store.tables import (
    CarrierCountRow,
    ConversationRow,
    EventRow,
    InboxRow,
    MessageRow,
    OptOutRow,
    OutboxRow,
    ParkedRow,
    PostRow,
)

CONVERSATION = ConversationRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
MESSAGE = MessageRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
POST = PostRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
EVENT = EventRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
INBOX = InboxRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
OPT_OUT = OptOutRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
PARKED = ParkedRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
CARRIER_COUNT = CarrierCountRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

# An event plans far fewer effects than this; positions of two events never mix.
_POSITIONS_AN_EVENT = 64

_UNFINISHED = (
    EffectState.QUEUED.value,
    EffectState.PENDING.value,
    EffectState.LEASED.value,
)
_NOT_BEGUN = (EffectState.QUEUED.value, EffectState.PENDING.value)


@dataclass(slots=True)
class _Held:
    """What the transaction knows of a conversation that it locked.

    ``stored_head`` is what the row says of ``lane_head``; ``released`` is the effect that this
    transaction took out of the lane's head; ``advancing`` means that the lane needs a new head.
    """

    lane_head: str | None
    stored_head: str | None
    log_hash: str
    state: str
    released: str | None = None
    advancing: bool = False


class UnitOfWork:
    """One transaction; made by the store, thrown away with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: dict[str, _Held] = {}
        postgres = connection.dialect.name == "postgresql"
        self._upsert: Any = upsert_postgres if postgres else upsert_sqlite

    # Inbox

    def known(self, key: str, now: datetime) -> Known | None:
        """What was taken in under this key, unless its time is over."""
        row = self._connection.execute(_KNOWN, {"key": key, "now": now}).first()
        return None if row is None else Known(row.digest, row.conversation, row.seq)

    def remember(
        self,
        key: str,
        *,
        digest: str,
        conversation: str,
        seq: int,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> None:
        """Take a key in; two transactions that do so at once conflict, and one runs again."""
        values = {
            "key": key,
            "digest": digest,
            "conversation": conversation,
            "seq": seq,
            "expires_at": expires_at,
        }
        self._connection.execute(delete(INBOX).where(INBOX.c.key == key, INBOX.c.expires_at <= now))
        self._connection.execute(insert(INBOX), values)

    # Conversations

    def lock(self, conversation: str) -> Conversation | None:
        """The conversation, held by this transaction until it ends."""
        row = self._connection.execute(_LOCK, {"id": conversation}).first()
        return None if row is None else self._hold(row)

    def lock_pair(self, customer: str, business: str, isolation: str) -> Conversation | None:
        """The one conversation of this pair, held by this transaction until it ends."""
        pair = {"customer": customer, "business": business, "isolation": isolation}
        row = self._connection.execute(_LOCK_PAIR, pair).first()
        return None if row is None else self._hold(row)

    def create(self, conversation: Conversation, now: datetime) -> Conversation:
        """A new conversation; another transaction that creates the same pair conflicts."""
        values = {
            "id": conversation.id,
            "customer": conversation.customer,
            "business": conversation.business,
            "isolation": conversation.isolation,
            "external_customer_id": conversation.external_customer_id,
            "profile": _profile(conversation),
            "state": conversation.state,
            "graph_version": conversation.graph_version,
            "graph_hash": conversation.graph_hash,
            "data": conversation.to_data(),
            "state_since": now,
            "created_at": now,
            "seq": 0,
            "log_hash": "",
        }
        self._connection.execute(insert(CONVERSATION), values)
        self._held[conversation.id] = _Held(None, None, "", conversation.state)
        return conversation

    def introduce(self, conversation: Conversation) -> None:
        """Store what the customer newly told of themselves."""
        self._connection.execute(
            update(CONVERSATION)
            .where(CONVERSATION.c.id == conversation.id)
            .values(
                profile=_profile(conversation),
                external_customer_id=conversation.external_customer_id,
            )
        )

    def with_conversation_id(self, conversation_id: str) -> str | None:
        """The engine's id of the conversation that holds this CXone conversation."""
        found: str | None = self._connection.execute(
            select(CONVERSATION.c.id).where(CONVERSATION.c.conversation_id == conversation_id)
        ).scalar()
        return found

    def held_by_others(self, conversation: str, conversation_ids: Iterable[str]) -> frozenset[str]:
        """Those CXone conversations that another pair holds."""
        rows = self._connection.execute(
            select(CONVERSATION.c.conversation_id).where(
                CONVERSATION.c.conversation_id.in_(list(conversation_ids)),
                CONVERSATION.c.id != conversation,
            )
        )
        return frozenset(rows.scalars())

    def message(self, conversation: str, seq: int, *, text: bool = False) -> Message | None:
        """One text of a conversation, with its body if asked for."""
        columns = [MESSAGE.c.seq, MESSAGE.c.data, *([MESSAGE.c.body] if text else [])]
        row = self._connection.execute(
            select(*columns).where(MESSAGE.c.conversation == conversation, MESSAGE.c.seq == seq)
        ).first()
        return None if row is None else message_from(row)

    def post(self, message_id: str) -> Post | None:
        """Where a CXone message id belongs, if the engine posted it."""
        row = self._connection.execute(_POST, {"message_id": message_id}).first()
        if row is None:
            return None
        return Post(row.conversation, row.message, row.part, row.conversation_id)

    # Steps

    def append(self, step: Step, *, text: str | None = None) -> None:
        """Write everything that an event did: log, conversation, texts, effects.

        ``text`` is the body of the message that the event brought.
        """
        held = self._held[step.after.id]
        self._cancel(step)
        for number, planned in enumerate(step.planned):
            self._plan(step, number, planned, held)
        self._append_event(step, held)
        self._save_conversation(step, held)
        self._save_messages(step, text)

    def _append_event(self, step: Step, held: _Held) -> None:
        record = log_record(step)
        held.log_hash = chained(held.log_hash, record)
        self._connection.execute(
            insert(EVENT),
            {
                "conversation": step.after.id,
                "seq": step.after.seq,
                "at": step.event.at,
                "record": record,
                "hash": held.log_hash,
            },
        )

    def _save_conversation(self, step: Step, held: _Held) -> None:
        after = step.after
        values: dict[str, Any] = {
            "state": after.state,
            "seq": after.seq,
            "conversation_id": after.conversation_id,
            "graph_version": after.graph_version,
            "graph_hash": after.graph_hash,
            "data": after.to_data(),
            "timer_due_at": after.timer_due_at,
            "lane_head": held.lane_head,
            "log_hash": held.log_hash,
        }
        if after.state != held.state:
            values["state_since"] = step.event.at
            held.state = after.state
        held.stored_head = held.lane_head
        self._connection.execute(update(CONVERSATION).where(CONVERSATION.c.id == after.id), values)

    def _save_messages(self, step: Step, text: str | None) -> None:
        before = {message.seq: message for message in step.before.messages}
        for message in step.after.messages:
            old = before.get(message.seq)
            if old is None:
                self._connection.execute(
                    insert(MESSAGE),
                    {
                        "conversation": step.after.id,
                        "seq": message.seq,
                        "data": message.to_data(),
                        "body": None if text is None else text.encode(),
                    },
                )
            elif old != message:
                self._connection.execute(
                    update(MESSAGE)
                    .where(MESSAGE.c.conversation == step.after.id, MESSAGE.c.seq == message.seq)
                    .values(data=message.to_data())
                )

    def logged(self, conversation: str, seq: int) -> str:
        """The log record of one event."""
        record: str = self._connection.execute(
            select(EVENT.c.record).where(EVENT.c.conversation == conversation, EVENT.c.seq == seq)
        ).scalar_one()
        return record

    def register_post(self, step: Step) -> None:
        """Remember the CXone message id that a `MessagePosted` event brought."""
        data = step.event.data
        values = {
            "conversation": step.after.id,
            "conversation_id": step.after.conversation_id,
            "message": data["message"],
            "part": data["part"],
        }
        statement = self._upsert(POST).values(message_id=data["message_id"], **values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["message_id"], set_=values)
        )

    def _plan(self, step: Step, number: int, planned: PlannedEffect, held: _Held) -> None:
        identity = effect_id(step.after.id, step.after.seq, number)
        state, position = self._place(step, number, planned, held, identity)
        self._connection.execute(
            insert(OUTBOX),
            {
                "id": identity,
                "conversation": step.after.id,
                "name": planned.name,
                "state": state.value,
                "position": position,
                "data": planned.data,
                "message": planned.message,
                "timer": planned.timer,
                "due_at": step.event.at + planned.due_in,
                "token": 0,
                "attempts": 0,
                "failures": 0,
                "looked_up": False,
                "interrupted": False,
            },
        )

    def _place(
        self, step: Step, number: int, planned: PlannedEffect, held: _Held, identity: str
    ) -> tuple[EffectState, int | None]:
        """Whether an effect may go at once, and its place in the lane."""
        if planned.lane is Lane.BESIDE:
            return EffectState.PENDING, None
        position = step.after.seq * _POSITIONS_AN_EVENT + number
        if planned.lane is Lane.FRONT:
            position = self._front(step.after.id, position)
            self._make_way(held)
        if held.advancing or held.lane_head is not None:
            return EffectState.QUEUED, position
        held.lane_head = identity
        return EffectState.PENDING, position

    def _front(self, conversation: str, fallback: int) -> int:
        first = self._connection.execute(
            select(func.min(OUTBOX.c.position)).where(
                OUTBOX.c.conversation == conversation, OUTBOX.c.state.in_(_UNFINISHED)
            )
        ).scalar()
        return fallback if first is None else first - 1

    def _make_way(self, held: _Held) -> None:
        """A head that has not begun goes back into the queue."""
        if held.lane_head is None:
            return
        moved = self._connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id == held.lane_head, OUTBOX.c.state == EffectState.PENDING.value)
            .values(state=EffectState.QUEUED.value)
            .returning(OUTBOX.c.id)
        ).scalar()
        if moved is not None:
            held.lane_head = None

    def _cancel(self, step: Step) -> None:
        held = self._held[step.after.id]
        for cancellation in step.cancelled:
            gone = self._withdraw(step.after.id, cancellation)
            if held.lane_head in gone:
                held.lane_head = None
                held.advancing = True

    def _withdraw(self, conversation: str, cancellation: Cancellation) -> frozenset[str]:
        condition = and_(
            OUTBOX.c.conversation == conversation,
            OUTBOX.c.name.in_(cancellation.names),
            OUTBOX.c.state.in_(_NOT_BEGUN),
        )
        if cancellation.message is not None:
            condition = and_(condition, OUTBOX.c.message == cancellation.message)
        rows = self._connection.execute(
            update(OUTBOX)
            .where(condition)
            .values(state=EffectState.CANCELLED.value)
            .returning(OUTBOX.c.id)
        )
        return frozenset(rows.scalars())

    # The outbox, for whoever carries an effect out

    def take_back(self, effect: Effect) -> bool:
        """Whether the lease still stands; if so the effect is this transaction's.

        Its conversation must be locked. A stale fencing token means that another worker took
        over: nothing of what this one found may be written.
        """
        found = self._connection.execute(
            select(OUTBOX.c.id)
            .where(
                OUTBOX.c.id == effect.id,
                OUTBOX.c.token == effect.token,
                OUTBOX.c.state == EffectState.LEASED.value,
            )
            .with_for_update()
        ).scalar()
        if found is None:
            return False
        held = self._held[effect.conversation]
        if held.lane_head == effect.id:
            held.lane_head, held.released, held.advancing = None, effect.id, True
        return True

    def finish(self, effect: Effect) -> None:
        """It was carried out."""
        self._set(effect, state=EffectState.DONE.value, reason=None)

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
        values: dict[str, Any] = {
            "state": EffectState.PENDING.value,
            "due_at": due_at,
            "reason": reason,
            "unknown_since": unknown_since,
            "looked_up": looked_up,
            "interrupted": False,
            **_tally(effect, failed=failed),
        }
        self._set(effect, **values, **({"data": data} if data is not None else {}))
        self._keep_head(effect)

    def step_back(self, effect: Effect, *, failed: bool) -> None:
        """It waits behind what was planned before it, and goes as soon as that is done."""
        self._set(
            effect,
            state=EffectState.QUEUED.value,
            reason=None,
            interrupted=False,
            **_tally(effect, failed=failed),
        )

    def bury(self, effect: Effect, reason: str, *, hold: bool) -> None:
        """It gave up. ``hold`` keeps what is behind it waiting."""
        self._set(effect, state=EffectState.DEAD.value, reason=reason, looked_up=False)
        if hold:
            self._keep_head(effect)

    def revive(self, effect: Effect, now: datetime) -> None:
        """A dead letter goes again: at once, or in its order."""
        held = self._held[effect.conversation]
        ordered = self._connection.execute(
            select(OUTBOX.c.position).where(OUTBOX.c.id == effect.id)
        ).scalar()
        at_once = ordered is None or held.lane_head == effect.id
        state = EffectState.PENDING if at_once else EffectState.QUEUED
        self._set(effect, state=state.value, due_at=now, reason=None, started_at=None, failures=0)
        if not at_once and held.lane_head is None:
            held.advancing = True

    def _keep_head(self, effect: Effect) -> None:
        held = self._held[effect.conversation]
        if held.released == effect.id:
            held.lane_head, held.advancing = effect.id, False

    def _set(self, effect: Effect, **values: Any) -> None:
        self._connection.execute(
            update(OUTBOX).where(OUTBOX.c.id == effect.id).values(lease_until=None, **values)
        )

    def effect(self, identity: str) -> Effect | None:
        """One effect of the outbox."""
        row = self._connection.execute(select(OUTBOX).where(OUTBOX.c.id == identity)).first()
        return None if row is None else effect_from(row)

    def dead(self, identity: str) -> Effect | None:
        """A dead letter, held until the transaction ends."""
        row = self._connection.execute(
            select(OUTBOX)
            .where(OUTBOX.c.id == identity, OUTBOX.c.state == EffectState.DEAD.value)
            .with_for_update()
        ).first()
        return None if row is None else effect_from(row)

    def complete(self) -> None:
        """Let the next effect of each lane go; the last thing before the commit."""
        for conversation, held in self._held.items():
            if held.advancing:
                self._advance(conversation, held)
            if held.lane_head != held.stored_head:
                self._connection.execute(
                    update(CONVERSATION)
                    .where(CONVERSATION.c.id == conversation)
                    .values(lane_head=held.lane_head)
                )

    def _advance(self, conversation: str, held: _Held) -> None:
        next_in_lane = (
            select(OUTBOX.c.id)
            .where(
                OUTBOX.c.conversation == conversation,
                OUTBOX.c.state == EffectState.QUEUED.value,
            )
            .order_by(OUTBOX.c.position)
            .limit(1)
            .scalar_subquery()
        )
        held.lane_head = self._connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id == next_in_lane)
            .values(state=EffectState.PENDING.value)
            .returning(OUTBOX.c.id)
        ).scalar()
        held.advancing = False

    # Callbacks

    def park(self, about: str, data: Mapping[str, Any], *, expires_at: datetime) -> bool:
        """Keep a callback about something unknown; False if it was kept already."""
        number = self._connection.execute(
            select(func.count()).where(PARKED.c.about == about)
        ).scalar_one()
        kept = self._connection.execute(
            self._upsert(PARKED)
            .values(
                about=about,
                digest=digest(*(f"{name}={value}" for name, value in sorted(data.items()))),
                number=number,
                data=data,
                expires_at=expires_at,
            )
            .on_conflict_do_nothing()
            .returning(PARKED.c.number)
        ).scalar()
        return kept is not None

    def unpark(self, about: str) -> tuple[Mapping[str, Any], ...]:
        """The callbacks kept for this, in order of arrival; they are gone afterwards."""
        rows = self._connection.execute(
            delete(PARKED).where(PARKED.c.about == about).returning(PARKED.c.number, PARKED.c.data)
        ).all()
        return tuple(row.data for row in sorted(rows, key=lambda row: row.number))

    def count(self, profile: str | None, kind: str, conversation: str) -> None:
        """One more of this kind for a carrier profile."""
        shard = sum(conversation.encode()) % 16
        statement = self._upsert(CARRIER_COUNT).values(
            profile=profile or "unknown", kind=kind, shard=shard, count=1
        )
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["profile", "kind", "shard"],
                set_={"count": CARRIER_COUNT.c.count + 1},
            )
        )

    # Opting out

    def opted_out(self, conversation: Conversation) -> bool:
        """Whether the customer wants no texts from this business number."""
        return self._connection.execute(_OPTED_OUT, _numbers(conversation)).first() is not None

    def opt_out(self, conversation: Conversation, source: str, now: datetime) -> bool:
        """Mark the customer; False if that was so already."""
        marked = self._connection.execute(
            self._upsert(OPT_OUT)
            .values(**_numbers(conversation), source=source, at=now)
            .on_conflict_do_nothing()
            .returning(OPT_OUT.c.customer)
        ).scalar()
        return marked is not None

    def opt_in(self, conversation: Conversation) -> bool:
        """Take the mark away; False if there was none."""
        numbers = _numbers(conversation)
        taken = self._connection.execute(
            delete(OPT_OUT)
            .where(
                OPT_OUT.c.customer == numbers["customer"],
                OPT_OUT.c.business == numbers["business"],
            )
            .returning(OPT_OUT.c.customer)
        ).scalar()
        return taken is not None

    def forget(self, now: datetime, *, limit: int) -> int:
        """Remove keys and parked callbacks whose time is over, at most ``limit`` of each."""
        keys = select(INBOX.c.key).where(INBOX.c.expires_at <= now).limit(limit)
        gone = self._connection.execute(
            delete(INBOX).where(INBOX.c.key.in_(keys)).returning(INBOX.c.key)
        ).all()
        words = select(PARKED.c.about).where(PARKED.c.expires_at <= now).limit(limit)
        gone_words = self._connection.execute(
            delete(PARKED)
            .where(PARKED.c.about.in_(words), PARKED.c.expires_at <= now)
            .returning(PARKED.c.about)
        ).all()
        return len(gone) + len(gone_words)

    def _hold(self, row: Row[Any]) -> Conversation:
        # A transaction that locks twice must keep what it has decided since.
        self._held.setdefault(row.id, _Held(row.lane_head, row.lane_head, row.log_hash, row.state))
        return conversation_from(row)


def _profile(conversation: Conversation) -> dict[str, Any]:
    return {
        "name": conversation.name,
        "preferred_language": conversation.preferred_language,
    }


def _tally(effect: Effect, *, failed: bool) -> dict[str, Any]:
    """Failures in a row, and since when; anything else than a failure starts anew."""
    if failed:
        return {"failures": effect.failures + 1}
    return {"failures": 0, "started_at": None}


def _numbers(conversation: Conversation) -> dict[str, str]:
    return {"customer": conversation.customer, "business": conversation.business}


_OPTED_OUT = select(OPT_OUT.c.customer).where(
    OPT_OUT.c.customer == bindparam("customer"), OPT_OUT.c.business == bindparam("business")
)
_KNOWN = select(INBOX.c.digest, INBOX.c.conversation, INBOX.c.seq).where(
    INBOX.c.key == bindparam("key"),
    or_(INBOX.c.expires_at.is_(None), INBOX.c.expires_at > bindparam("now")),
)
_LOCK = select(CONVERSATION).where(CONVERSATION.c.id == bindparam("id")).with_for_update()
_LOCK_PAIR = (
    select(CONVERSATION)
    .where(
        CONVERSATION.c.customer == bindparam("customer"),
        CONVERSATION.c.business == bindparam("business"),
        CONVERSATION.c.isolation == bindparam("isolation"),
    )
    .with_for_update()
)
_POST = select(POST).where(POST.c.message_id == bindparam("message_id"))
