"""Steps: what an event did to the log, to texts and to posts."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import bindparam, select

from sms_fsm.conversation import Message
from sms_fsm.log import chained, log_record
from sms_fsm.machine import Step
from sms_fsm.ports import Post
from sms_fsm.store import statements as sql
from sms_fsm.store.driver import Statement
from sms_fsm.store.lanes import Lanes
from sms_fsm.store.rows import message_of
from sms_fsm.store.statements import EVENT
from sms_fsm.store.transaction import Held, as_json
from sms_fsm.values import evolve

_RECORD = Statement(
    lambda _: select(EVENT.c.record).where(
        EVENT.c.conversation == bindparam("conversation"), EVENT.c.seq == bindparam("seq")
    )
)


class Steps(Lanes):
    """What a step writes; the effects that it plans go into the lanes."""

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

    def _append_event(self, step: Step, held: Held) -> None:
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
            data = as_json(message.to_data())
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
        row = self._driver.first(_RECORD, {"conversation": conversation, "seq": seq})
        if row is None:
            raise LookupError("the log has no such event")
        record: str = row[0]
        return record

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
        message = message_of(seq, data, body if text else None)
        self._messages[conversation, seq] = message
        return message

    def post(self, message_id: str) -> Post | None:
        """Where a CXone message id belongs, if the engine posted it."""
        known = self._posts.get(message_id)
        if known is not None:
            return known
        row = self._driver.first(sql.POST_BY_MESSAGE_ID, {"message_id": message_id})
        return None if row is None else Post(*row)

    def register_post(self, step: Step) -> None:
        """Remember the CXone message id that a `MessagePosted` event brought."""
        data = step.event.data
        message_id = data["message_id"]
        remote = str(step.after.conversation_id)
        post = Post(step.after.id, data["message"], data["part"], remote)
        self._posts[message_id] = post
        self._buffer.posts[message_id] = {"message_id": message_id, **asdict(post)}
