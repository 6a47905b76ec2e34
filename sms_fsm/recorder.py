"""The one way by which events come in: decide, then write all that follows in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sms_fsm import delivery, events, sms
from sms_fsm.clock import Clock
from sms_fsm.conversation import Attempt, Conversation, Message
from sms_fsm.delivery import Outcome, Retryable, Verdict
from sms_fsm.events import Event
from sms_fsm.keywords import Keyword
from sms_fsm.machine import Step
from sms_fsm.machines import Machines
from sms_fsm.messages import Receipt
from sms_fsm.ports import Post, UnitOfWork
from sms_fsm.values import evolve

PARKED_FOR = timedelta(days=7)
"""How long a callback waits for the message or conversation that it is about."""

_CODES = ("status_code", "carrier_status", "error_code")


class Recorder:
    """Turns events into steps inside a transaction.

    Args:
        fallback: whether the host has another channel for texts that carriers failed.
        dedupe_window: how long repeated callbacks are told apart by the inbox.
    """

    def __init__(
        self, machines: Machines, clock: Clock, *, fallback: bool, dedupe_window: timedelta
    ) -> None:
        self._machines = machines
        self._clock = clock
        self._fallback = fallback
        self._dedupe_window = dedupe_window

    @property
    def fallback(self) -> bool:
        """Whether the host has another channel."""
        return self._fallback

    def record(
        self, uow: UnitOfWork, conversation: Conversation, event: Event, *, text: str | None = None
    ) -> Step:
        """Decide on one event of a locked conversation and write what it did.

        What waited for this event, because it came too early, is recorded right after it.
        """
        message = None if event.message is None else uow.message(conversation.id, event.message)
        loaded = evolve(conversation, messages=() if message is None else (message,))
        step = self._machines.of(conversation).step(loaded, event)
        uow.append(step, text=text)
        if event.name == "MessagePosted":
            self._welcome(uow, step)
        elif event.name == "ConversationOpened":
            self._meet(uow, step)
        elif event.name == "MessageReceived":
            self._heed(uow, step)
        return step

    def _welcome(self, uow: UnitOfWork, step: Step) -> None:
        """Index a posted message, and apply the words that carriers had for it already."""
        message = step.after.message(step.event.message)
        if message is None or not message.outbound:
            return
        uow.register_post(step)
        for data in uow.unpark(step.event.data["message_id"]):
            self.report(uow, data, source="parked")

    def _meet(self, uow: UnitOfWork, step: Step) -> None:
        """Apply an assignment that came before the conversation was known."""
        for data in uow.unpark(_assignment(step.event.data["conversation_id"])):
            self.assign(uow, data)

    # Opting out

    def _heed(self, uow: UnitOfWork, step: Step) -> None:
        """Do what a keyword asks for."""
        keyword = step.event.data["keyword"]
        if keyword == Keyword.STOP:
            self._opt_out(uow, step.after, source="keyword", confirm=True)
        elif keyword == Keyword.START and uow.opt_in(step.after):
            self._follow(uow, step.after, events.customer_opted_in(step.event.at, source="keyword"))

    def _opt_out(
        self, uow: UnitOfWork, conversation: Conversation, *, source: str, confirm: bool
    ) -> None:
        """Mark the customer once; waiting texts are withdrawn when their turn comes."""
        now = self._clock()
        if not uow.opt_out(conversation, source, now):
            return
        policies = self._machines.of(conversation).graph.policies
        text = policies.opt_out_confirmation if confirm else ""
        event = events.customer_opted_out(
            now,
            source=source,
            key=f"opt-out-{conversation.seq + 1}" if text else None,
            text_digest=events.digest(conversation.id, text) if text else None,
            posts=sms.posts(text, max_segments=255, overflow=sms.Overflow.REFUSE) if text else (),
        )
        self._follow(uow, conversation, event, text=text or None)

    def _follow(
        self, uow: UnitOfWork, conversation: Conversation, event: Event, *, text: str | None = None
    ) -> None:
        current = uow.lock(conversation.id)
        if current is not None:
            self.record(uow, current, event, text=text)

    # Callbacks

    def report(self, uow: UnitOfWork, data: Mapping[str, Any], *, source: str) -> Receipt:
        """A carrier's word on one message; of an unknown one it is kept for seven days.

        Repeated words advance nothing: by the inbox within its window, by the stored state
        beyond it (guide, edge case 3).
        """
        post = uow.post(data["message_id"])
        if post is None or post.conversation_id != data["conversation_id"]:
            return self._park(uow, data, data["message_id"])
        conversation = uow.lock(post.conversation)
        message = uow.message(post.conversation, post.message)
        if conversation is None or message is None:
            return self._park(uow, data, data["message_id"])
        attempt = _attempt(message, post, data["message_id"])
        verdict = _verdict(data)
        if self._seen(uow, data, attempt):
            if not _revises(message.parts[post.part].retry_at is not None, verdict, data, attempt):
                # A poll that hears a known word again says nothing about the carrier's callbacks.
                if source != "poll":
                    uow.count(conversation.carrier_profile, "duplicate", conversation.id)
                return Receipt(
                    conversation.id,
                    duplicate=True,
                    state=conversation.state,
                    reason="duplicate callback",
                )
            revised = self._reported(
                uow, conversation, post, data, verdict=verdict, source=source, revised=True
            )
            return Receipt(
                conversation.id,
                duplicate=True,
                state=revised.after.state,
                reason="same status, another code",
            )
        step = self._reported(
            uow, conversation, post, data, verdict=verdict, source=source, revised=False
        )
        self._remember(uow, data, step)
        if verdict.outcome is Outcome.FAILED and delivery.is_opt_out_code(*_codes(data)):
            self._opt_out(uow, step.after, source="carrier", confirm=False)
        if verdict.outcome in (Outcome.DELIVERED, Outcome.FAILED):
            uow.count(conversation.carrier_profile, verdict.outcome.value, conversation.id)
        return Receipt(conversation.id, duplicate=False, state=step.after.state)

    def _reported(
        self,
        uow: UnitOfWork,
        conversation: Conversation,
        post: Post,
        data: Mapping[str, Any],
        *,
        verdict: Verdict,
        source: str,
        revised: bool,
    ) -> Step:
        event = events.delivery_reported(
            self._clock(),
            message=post.message,
            part=post.part,
            message_id=data["message_id"],
            status=data["status"],
            codes=_codes(data),
            verdict=verdict,
            fallback=self._fallback,
            revised=revised,
            source=source,
        )
        return self.record(uow, conversation, event)

    def _seen(self, uow: UnitOfWork, data: Mapping[str, Any], attempt: Attempt) -> bool:
        known = uow.known(status_key(data), self._clock())
        return known is not None or data["status"] in attempt.seen

    def _remember(self, uow: UnitOfWork, data: Mapping[str, Any], step: Step) -> None:
        now = self._clock()
        uow.remember(
            status_key(data),
            digest=events.digest(*_codes(data)),
            conversation=step.after.id,
            seq=step.after.seq,
            now=now,
            expires_at=now + self._dedupe_window,
        )

    def assign(self, uow: UnitOfWork, data: Mapping[str, Any]) -> Receipt:
        """CXone named the agent participant of a conversation."""
        found = uow.with_conversation_id(data["conversation_id"])
        conversation = uow.lock(found) if found is not None else None
        if conversation is None:
            return self._park(uow, data, _assignment(data["conversation_id"]))
        named = (data["participant_id"], data["agent_id"], data["queue_id"])
        key = f"assigned:{events.digest(data['conversation_id'], *map(str, named))}"
        if self._repeated(uow, conversation, f"{key}:{data['timestamp']}"):
            return Receipt(
                conversation.id,
                duplicate=True,
                state=conversation.state,
                reason="duplicate callback",
            )
        event = events.agent_assigned(
            self._clock(),
            participant_id=data["participant_id"],
            agent_id=data["agent_id"],
            queue_id=data["queue_id"],
        )
        step = self.record(uow, conversation, event)
        return Receipt(conversation.id, duplicate=False, state=step.after.state)

    def archived(self, uow: UnitOfWork, data: Mapping[str, Any]) -> Receipt:
        """CXone archived a conversation."""
        found = uow.with_conversation_id(data["conversation_id"])
        conversation = uow.lock(found) if found is not None else None
        if conversation is None:
            return Receipt(None, duplicate=False, state=None, reason="unknown conversation")
        key = f"archived:{data['conversation_id']}:{data['timestamp']}"
        dated = data["timestamp"] is not None
        if dated and self._repeated(uow, conversation, key):
            return Receipt(
                conversation.id,
                duplicate=True,
                state=conversation.state,
                reason="duplicate callback",
            )
        event = events.conversation_archived(self._clock(), source="webhook")
        step = self.record(uow, conversation, event)
        return Receipt(conversation.id, duplicate=False, state=step.after.state)

    def _repeated(self, uow: UnitOfWork, conversation: Conversation, key: str) -> bool:
        now = self._clock()
        if uow.known(key, now) is not None:
            uow.count(conversation.carrier_profile, "duplicate", conversation.id)
            return True
        uow.remember(
            key,
            digest="",
            conversation=conversation.id,
            seq=conversation.seq + 1,
            now=now,
            expires_at=now + self._dedupe_window,
        )
        return False

    def _park(self, uow: UnitOfWork, data: Mapping[str, Any], about: str) -> Receipt:
        kept = uow.park(about, data, expires_at=self._clock() + PARKED_FOR)
        reason = "parked: the engine does not know this message or conversation (yet)"
        return Receipt(None, duplicate=not kept, state=None, reason=reason)


def _attempt(message: Message, post: Post, message_id: str) -> Attempt:
    attempts = message.parts[post.part].attempts
    return next(attempt for attempt in attempts if attempt.message_id == message_id)


def _revises(
    waiting: bool,  # noqa: FBT001 - a fact about the part, not a switch
    verdict: Verdict,
    data: Mapping[str, Any],
    attempt: Attempt,
) -> bool:
    """Whether a repeated failure came with a code that rules out the retry that is planned."""
    final = verdict.outcome is Outcome.FAILED and verdict.retryable is Retryable.NO
    return waiting and final and _codes(data) != attempt.codes


def _verdict(data: Mapping[str, Any]) -> Verdict:
    return delivery.judge(
        data["status"],
        status_code=data["status_code"],
        carrier_status=data["carrier_status"],
        error_code=data["error_code"],
    )


def _codes(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(data[name] for name in _CODES if data[name] is not None)


def status_key(data: Mapping[str, Any]) -> str:
    """The inbox's key of a carrier's word: message and status, whatever its codes."""
    return f"status:{data['message_id']}:{data['status']}"


def _assignment(conversation_id: str) -> str:
    return f"assigned:{conversation_id}"
