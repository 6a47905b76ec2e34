"""What one transaction may do to conversations, their log, the inbox and the outbox.

A conversation is locked before it is changed, so that its events come one after another. Effects
of its lane go one at a time: `conversation.lane_head` names the one that may go, and whoever
finishes it lets the next one go in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Table, and_, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert_postgres
from sqlalchemy.dialects.sqlite import insert as upsert_sqlite

from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Cancellation, Effect, EffectState, Lane, PlannedEffect, effect_id
from sms_fsm.events import digest
from sms_fsm.log import chained, log_record
from sms_fsm.machine import Step
from sms_fsm.ports import Known, Page, Post, Reads
from sms_fsm.store import statements as sql
from sms_fsm.store.ahead import Remembered, fetch
from sms_fsm.store.buffer import Buffer
from sms_fsm.store.database import Conflict
from sms_fsm.store.driver import Driver
from sms_fsm.store.rows import effect_from, locked_conversation
from sms_fsm.store.statements import CONVERSATION, INBOX, OPT_OUT, OUTBOX, PARKED
from sms_fsm.values import evolve

# An event plans far fewer effects than this; positions of two events never mix.
_POSITIONS_AN_EVENT = 64
_COUNT_SHARDS = 16

_UNFINISHED = (
    EffectState.QUEUED.value,
    EffectState.PENDING.value,
    EffectState.LEASED.value,
)
_NOT_BEGUN = (EffectState.QUEUED.value, EffectState.PENDING.value)


@dataclass(slots=True)
class _Held:
    """What the transaction knows of a conversation that it locked.

    ``released`` is the effect that this transaction took out of the lane's head; ``advancing``
    means that the lane needs a new head; ``changed`` that the row is to be written.
    """

    conversation: Conversation
    lane_head: str | None
    log_hash: str
    state_since: datetime | None = None
    released: str | None = None
    advancing: bool = False
    changed: bool = False


class UnitOfWork:
    """One transaction; made by the store, thrown away with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver = Driver(connection)
        self._buffer = Buffer()
        self._held: dict[str, _Held] = {}
        self._pairs: dict[tuple[str, str, str], str] = {}
        self._messages: dict[tuple[str, int], Message] = {}
        self._keys: dict[str, Remembered | None] = {}
        self._posts: dict[str, Post] = {}
        self._among_others = False
        self.steps: list[Step] = []
        self._upsert: Any = upsert_postgres if self._driver.is_postgres else upsert_sqlite

    def expect(self, reads: Sequence[Reads]) -> None:
        """Fetch ahead what works are about to read; it is locked from now on."""
        self._among_others = self._driver.is_postgres and len(reads) > 1
        fetched = fetch(self._driver, reads)
        for row in fetched.conversations:
            self._hold(row)
        for conversation, seq, data in fetched.messages:
            self._messages[conversation, seq] = Message.from_data(seq, orjson.loads(data))
        self._keys.update(fetched.keys)
        self._posts.update(fetched.posts)

    # Inbox

    def known(self, key: str, now: datetime) -> Known | None:
        """What was taken in under this key, unless its time is over."""
        if key not in self._keys:
            row = self._driver.first(sql.KNOWN, {"key": key})
            self._keys[key] = None if row is None else Remembered(*row)
        found = self._keys[key]
        if found is None or (found.expires_at and found.expires_at <= self._driver.instant(now)):
            return None
        return Known(found.digest, found.conversation, found.seq)

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
        until = self._driver.instant(expires_at)
        self._keys[key] = Remembered(digest, conversation, seq, until)
        self._buffer.keys[key] = {
            "key": key,
            "digest": digest,
            "conversation": conversation,
            "seq": seq,
            "expires_at": until,
            "now": self._driver.instant(now),
        }

    # Conversations

    def lock(self, conversation: str) -> Conversation | None:
        """The conversation without its texts, held until the transaction ends."""
        held = self._held.get(conversation)
        if held is not None:
            return held.conversation
        return self._lock(sql.LOCK, {"id": conversation})

    def lock_pair(self, customer: str, business: str, isolation: str) -> Conversation | None:
        """The one conversation of this pair, held until the transaction ends."""
        pair = (customer, business, isolation)
        if pair in self._pairs:
            return self._held[self._pairs[pair]].conversation
        values = {"customer": customer, "business": business, "isolation": isolation}
        return self._lock(sql.LOCK_PAIR, values)

    def _lock(self, locking: sql.Locking, values: dict[str, str]) -> Conversation | None:
        """Lock one that was not fetched ahead.

        Among others it would be out of their common order: to wait for it could be to wait for
        somebody who waits for one of them.
        """
        row = self._driver.first(locking.try_ if self._among_others else locking.wait, values)
        if row is not None:
            return self._hold(row)
        if self._among_others and self._driver.first(locking.exists, values) is not None:
            raise Conflict
        return None

    def pinned(
        self, behaviour_hash: str, after: tuple[str, str], limit: int, *, wait: bool
    ) -> Page:
        """Up to ``limit`` conversations that run on a graph, by state and id after this pair.

        Those that another transaction holds are waited for or left out.
        """
        self._flush()
        state, identity = after
        values = {"graph_hash": behaviour_hash, "state": state, "id": identity, "limit": limit}
        rows = self._driver.all(sql.PINNED if wait else sql.PINNED_IDLE, values)
        found = [locked_conversation(row).conversation for row in rows]
        last = found[-1] if len(found) == limit else None
        return Page(
            tuple(self._hold(row) for row in rows),
            None if last is None else (last.state, last.id),
        )

    def create(self, conversation: Conversation, now: datetime) -> Conversation:
        """A new conversation; another transaction that creates the same pair conflicts."""
        moment = self._driver.instant(now)
        self._buffer.new_conversations[conversation.id] = {
            "id": conversation.id,
            "customer": conversation.customer,
            "business": conversation.business,
            "isolation": conversation.isolation,
            "external_customer_id": conversation.external_customer_id,
            "profile": _json(_profile(conversation)),
            "conversation_id": None,
            "state": conversation.state,
            "graph_version": conversation.graph_version,
            "graph_hash": conversation.graph_hash,
            "seq": 0,
            "data": _json(conversation.to_data()),
            "lane_head": None,
            "log_hash": "",
            "timer_due_at": None,
            "state_since": moment,
            "created_at": moment,
        }
        return self._keep(conversation, _Held(conversation, None, "", now))

    def introduce(self, conversation: Conversation) -> None:
        """Store what the customer newly told of themselves."""
        self._flush()
        self._held[conversation.id].conversation = conversation
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
        self._write_conversations()
        found: str | None = self._connection.execute(
            select(CONVERSATION.c.id).where(CONVERSATION.c.conversation_id == conversation_id)
        ).scalar()
        return found

    def held_by_others(self, conversation: str, conversation_ids: Iterable[str]) -> frozenset[str]:
        """Those CXone conversations that another pair holds."""
        self._write_conversations()
        rows = self._connection.execute(
            select(CONVERSATION.c.conversation_id).where(
                CONVERSATION.c.conversation_id.in_(list(conversation_ids)),
                CONVERSATION.c.id != conversation,
            )
        )
        return frozenset(rows.scalars())

    def message(self, conversation: str, seq: int, *, text: bool = False) -> Message | None:
        """One text of a conversation, with its body if asked for."""
        known = self._messages.get((conversation, seq))
        if known is not None and not text:
            return known
        if known is not None:
            self._flush()
        values = {"conversation": conversation, "seq": seq}
        row = self._driver.first(sql.MESSAGE_BY_SEQ, values)
        if row is None:
            return None
        data, body = row
        message = Message.from_data(seq, orjson.loads(data), body.decode() if text else None)
        self._messages[conversation, seq] = message
        return message

    def post(self, message_id: str) -> Post | None:
        """Where a CXone message id belongs, if the engine posted it."""
        known = self._posts.get(message_id)
        if known is not None:
            return known
        row = self._driver.first(sql.POST_BY_MESSAGE_ID, {"message_id": message_id})
        return None if row is None else Post(*row)

    # Steps

    def append(self, step: Step, *, text: str | None = None) -> None:
        """Write everything that an event did: log, conversation, texts, effects.

        ``text`` is the body of the message that the event brought.
        """
        self.steps.append(step)
        held = self._held[step.after.id]
        for cancellation in step.cancelled:
            self._withdraw(held, cancellation)
        for number, planned in enumerate(step.planned):
            self._plan(step, number, planned, held)
        self._append_event(step, held)
        self._save_messages(step, text)
        if step.after.state != held.conversation.state:
            held.state_since = step.event.at
        held.conversation = evolve(step.after, messages=())
        held.changed = True

    def _append_event(self, step: Step, held: _Held) -> None:
        record = log_record(step)
        held.log_hash = chained(held.log_hash, record)
        self._buffer.events.append(
            {
                "conversation": step.after.id,
                "seq": step.after.seq,
                "at": self._driver.instant(step.event.at),
                "record": record,
                "hash": held.log_hash,
            }
        )

    def _save_messages(self, step: Step, text: str | None) -> None:
        before = {message.seq: message for message in step.before.messages}
        for message in step.after.messages:
            key = (step.after.id, message.seq)
            if before.get(message.seq) == message:
                continue
            self._messages[key] = evolve(message, turn=None)
            data = _json(message.to_data())
            fresh = self._buffer.new_messages.get(key)
            if fresh is not None:
                fresh["data"] = data
            elif message.seq in before:
                self._buffer.changed_messages[key] = {
                    "key": step.after.id,
                    "number": message.seq,
                    "data": data,
                }
            else:
                self._buffer.new_messages[key] = {
                    "conversation": step.after.id,
                    "seq": message.seq,
                    "data": data,
                    "body": None if text is None else text.encode(),
                }

    def logged(self, conversation: str, seq: int) -> str:
        """The log record of one event."""
        self._flush()
        record: str = self._connection.execute(
            select(sql.EVENT.c.record).where(
                sql.EVENT.c.conversation == conversation, sql.EVENT.c.seq == seq
            )
        ).scalar_one()
        return record

    def register_post(self, step: Step) -> None:
        """Remember the CXone message id that a `MessagePosted` event brought."""
        data = step.event.data
        message_id = data["message_id"]
        remote = str(step.after.conversation_id)
        post = Post(step.after.id, data["message"], data["part"], remote)
        self._posts[message_id] = post
        self._buffer.posts[message_id] = {"message_id": message_id, **asdict(post)}

    def _plan(self, step: Step, number: int, planned: PlannedEffect, held: _Held) -> None:
        identity = effect_id(step.after.id, step.after.seq, number)
        state, position = self._place(step, number, planned, held, identity)
        self._buffer.effects.append(
            {
                "id": identity,
                "conversation": step.after.id,
                "name": planned.name,
                "state": state.value,
                "position": position,
                "data": _json(planned.data),
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
        self, step: Step, number: int, planned: PlannedEffect, held: _Held, identity: str
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
        first = self._connection.execute(
            select(func.min(OUTBOX.c.position)).where(
                OUTBOX.c.conversation == conversation, OUTBOX.c.state.in_(_UNFINISHED)
            )
        ).scalar()
        return fallback if first is None else first - 1

    def _make_way(self, held: _Held) -> None:
        """A head that has not begun goes back into the queue.

        One whose answer was lost has begun: it is looked up in the conversation it was sent to.
        """
        if held.lane_head is None:
            return
        moved = self._connection.execute(
            update(OUTBOX)
            .where(
                OUTBOX.c.id == held.lane_head,
                OUTBOX.c.state == EffectState.PENDING.value,
                OUTBOX.c.unknown_since.is_(None),
            )
            .values(state=EffectState.QUEUED.value)
            .returning(OUTBOX.c.id)
        ).scalar()
        if moved is not None:
            held.lane_head = None

    def _withdraw(self, held: _Held, cancellation: Cancellation) -> None:
        self._flush()
        condition = and_(
            OUTBOX.c.conversation == held.conversation.id,
            OUTBOX.c.name.in_(cancellation.names),
            OUTBOX.c.state.in_(_NOT_BEGUN),
        )
        if cancellation.message is not None:
            condition = and_(condition, OUTBOX.c.message == cancellation.message)
        gone = self._connection.execute(
            update(OUTBOX)
            .where(condition)
            .values(state=EffectState.CANCELLED.value)
            .returning(OUTBOX.c.id)
        )
        if held.lane_head in frozenset(gone.scalars()):
            held.lane_head, held.advancing = None, True

    # The outbox, for whoever carries an effect out

    def take_back(self, effect: Effect) -> bool:
        """Whether the lease still stands; if so the effect is this transaction's.

        Its conversation must be locked. A stale fencing token means that another worker took
        over: nothing of what this one found may be written.
        """
        values = {"id": effect.id, "token": effect.token}
        if self._driver.first(sql.TAKE_BACK, values) is None:
            return False
        held = self._held[effect.conversation]
        if held.lane_head == effect.id:
            held.lane_head, held.released, held.advancing = None, effect.id, True
        return True

    def finish(self, effect: Effect) -> None:
        """It was carried out, or is no longer wanted."""
        self._driver.run(sql.FINISH, [{"key": effect.id}])

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
            "failures": effect.failures + 1 if failed else 0,
            "started_at": effect.started_at if failed else None,
        }
        self._set(effect, **values, **({"data": data} if data is not None else {}))
        self._keep_head(effect)

    def step_back(self, effect: Effect, *, failed: bool) -> None:
        """It waits behind what was planned before it, and goes as soon as that is done."""
        failures = effect.failures + failed
        self._set(
            effect,
            state=EffectState.QUEUED.value,
            reason=None,
            interrupted=False,
            unknown_since=effect.unknown_since,
            failures=failures,
            # To wait is no failure, but it does not end a row of them.
            started_at=effect.started_at if failures else None,
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
        self._flush()
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

    # The end

    def complete(self) -> None:
        """Write what is left, and let the next effect of each lane go; the last thing to do."""
        advancing = [held for held in self._held.values() if held.advancing]
        if advancing:
            self._flush()
        for held in advancing:
            self._advance(held)
        self._write_conversations(last=True)

    def _flush(self) -> None:
        self._buffer.flush(self._driver)

    def _write_conversations(self, *, last: bool = False) -> None:
        """As they are so far; what changes afterwards is written at the end."""
        for held in self._held.values():
            if held.changed:
                self._write_conversation(held)
        self._buffer.flush(self._driver, last=last)

    def _write_conversation(self, held: _Held) -> None:
        row = self._row(held)
        fresh = self._buffer.new_conversations.get(held.conversation.id)
        if fresh is None:
            self._buffer.changed_conversations.append(row)
        else:
            fresh.update(row)
        held.changed = False

    def _advance(self, held: _Held) -> None:
        next_in_lane = self._driver.first(sql.ADVANCE, {"conversation": held.conversation.id})
        held.lane_head = None if next_in_lane is None else next_in_lane[0]
        held.advancing = False
        held.changed = True

    def _row(self, held: _Held) -> dict[str, Any]:
        conversation = held.conversation
        return {
            "key": conversation.id,
            "state": conversation.state,
            "seq": conversation.seq,
            "conversation_id": conversation.conversation_id,
            "graph_version": conversation.graph_version,
            "graph_hash": conversation.graph_hash,
            "data": _json(conversation.to_data()),
            "timer_due_at": self._driver.instant(conversation.timer_due_at),
            "lane_head": held.lane_head,
            "log_hash": held.log_hash,
            "state_since": self._driver.instant(held.state_since),
        }

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
        if self._driver.first(sql.IS_PARKED, {"about": about}) is None:
            return ()
        rows = self._connection.execute(
            delete(PARKED).where(PARKED.c.about == about).returning(PARKED.c.number, PARKED.c.data)
        ).all()
        return tuple(row.data for row in sorted(rows, key=lambda row: row.number))

    def count(self, profile: str | None, kind: str, conversation: str) -> None:
        """One more of this kind for a carrier profile; sharded, so that writers do not queue."""
        shard = sum(conversation.encode()) % _COUNT_SHARDS
        key = (profile or "unknown", kind, shard)
        self._buffer.counts[key] = self._buffer.counts.get(key, 0) + 1

    # Opting out

    def opted_out(self, conversation: Conversation) -> bool:
        """Whether the customer wants no texts from this business number."""
        return self._driver.first(sql.OPTED_OUT, _numbers(conversation)) is not None

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

    # Housekeeping

    def forget(self, now: datetime, *, limit: int) -> int:
        """Remove keys and parked callbacks whose time is over, at most ``limit`` of each."""
        return self._forget(INBOX, now, limit) + self._forget(PARKED, now, limit)

    def _forget(self, table: Table, now: datetime, limit: int) -> int:
        key = tuple(table.primary_key)
        over = select(*key).where(table.c.expires_at <= now).limit(limit)
        return self._connection.execute(delete(table).where(tuple_(*key).in_(over))).rowcount

    def _hold(self, row: tuple[Any, ...]) -> Conversation:
        locked = locked_conversation(row)
        known = self._held.get(locked.conversation.id)
        if known is not None:
            return known.conversation
        held = _Held(locked.conversation, locked.lane_head, locked.log_hash, locked.state_since)
        return self._keep(locked.conversation, held)

    def _keep(self, conversation: Conversation, held: _Held) -> Conversation:
        self._held[conversation.id] = held
        pair = (conversation.customer, conversation.business, conversation.isolation)
        self._pairs[pair] = conversation.id
        return conversation


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _profile(conversation: Conversation) -> dict[str, Any]:
    return {
        "name": conversation.name,
        "preferred_language": conversation.preferred_language,
    }


def _numbers(conversation: Conversation) -> dict[str, str]:
    return {"customer": conversation.customer, "business": conversation.business}
