"""What hosts and carriers hand in: checked, made idempotent, and stored before it is answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sms_fsm import events, sms
from sms_fsm.clock import Clock
from sms_fsm.config import Settings
from sms_fsm.conversation import Conversation, Routing
from sms_fsm.errors import (
    InvalidMessage,
    KeyReused,
    OptedOut,
    TransitionRefused,
    UnknownConversation,
    UnknownEffect,
)
from sms_fsm.events import Event, digest
from sms_fsm.keywords import keyword_in
from sms_fsm.machine import Step
from sms_fsm.machines import Machines
from sms_fsm.messages import (
    DeliveryStatus,
    InboundMessage,
    Receipt,
    check_identifier,
    check_instant,
    check_is,
    check_optional,
    is_id,
    status_data,
)
from sms_fsm.ports import Known, Reads, Store, UnitOfWork
from sms_fsm.recorder import Recorder, status_key
from sms_fsm.registry import IsolationRule
from sms_fsm.values import evolve

Outcome: TypeAlias = Receipt | TransitionRefused
"""What became of a fact or command; a refusal is told after the commit, for it is in the log."""


_TRANSFER_TYPES = ("warm", "cold")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Who talks to whom, and what the customer told of themselves."""

    customer: str
    business: str
    isolation: str
    name: str | None = None
    external_customer_id: str | None = None
    preferred_language: str | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What is unique of it."""
        return self.customer, self.business, self.isolation


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that came from outside, checked.

    Args:
        take: takes it in.
        reads: what that will read.
    """

    take: Callable[[UnitOfWork], Outcome]
    reads: Reads


class Intake:
    """The commands and facts of `sms_fsm.Engine`; each is one transaction."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        machines: Machines,
        *,
        settings: Settings,
        clock: Clock,
        isolation: IsolationRule | None,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._machines = machines
        self._settings = settings
        self._clock = clock
        self._isolation = isolation

    # Facts

    def receive(self, message: InboundMessage) -> Receipt:
        """Take a customer's SMS in."""
        return self._run_fact(self.message(check_is(message, InboundMessage, "message")))

    def record(self, status: DeliveryStatus) -> Receipt:
        """Take a carrier's word on one message in."""
        return self._run_fact(self.status(check_is(status, DeliveryStatus, "status")))

    def archived(self, *, conversation_id: str, timestamp: datetime | str | None = None) -> Receipt:
        """CXone archived a conversation."""
        return self._run_fact(self.archival(conversation_id=conversation_id, timestamp=timestamp))

    def take(self, facts: Sequence[Fact]) -> Sequence[Outcome]:
        """Take facts in, in their order and in one transaction: all are stored, or none."""
        return self._store.write(
            lambda uow: [fact.take(uow) for fact in facts], *(fact.reads for fact in facts)
        )

    def message(self, message: InboundMessage, *, customer_field: str = "from_") -> Fact:
        """A customer's SMS, checked; ``customer_field`` is what errors call the sender's number."""
        check_identifier(message.message_id, "message_id")
        check_instant(message.timestamp, "timestamp")
        sms.check_inbound(message.text)
        pair = self._pair(message, customer_field=customer_field)
        key = f"message:{message.message_id}"
        content = digest(pair.customer, pair.business, message.text)
        now = self._clock()

        def work(uow: UnitOfWork) -> Outcome:
            known = uow.known(key, now)
            if known is not None:
                same = known.digest == content
                reason = "duplicate" if same else "same message id, other content"
                return _repeated(uow, known, reason)
            conversation = self._join(uow, pair, now)
            event = events.message_received(
                now,
                key=message.message_id,
                text_digest=_body_digest(conversation, message.text),
                posts=_whole(message.text),
                keyword=keyword_in(message.text),
            )
            return self._take_in(
                uow, conversation, event, key=key, content=content, text=message.text
            )

        return Fact(work, Reads(key=key, pair=pair.identity))

    def status(self, status: DeliveryStatus) -> Fact:
        """A carrier's word on one message, checked."""
        data = status_data(status)
        check_instant(status.timestamp, "timestamp")
        return Fact(
            lambda uow: self._recorder.report(uow, data, source="callback"),
            Reads(key=status_key(data), message_id=data["message_id"]),
        )

    def assignment(
        self,
        *,
        conversation_id: str,
        participant_id: str,
        agent_id: str | None = None,
        queue_id: str | None = None,
        timestamp: datetime | str | None = None,
    ) -> Fact:
        """CXone named the agent participant of a conversation."""
        moment = check_instant(timestamp, "timestamp")
        data = {
            "conversation_id": check_identifier(conversation_id, "conversation_id"),
            "participant_id": check_identifier(participant_id, "participant_id"),
            "agent_id": check_optional(agent_id, "agent_id"),
            "queue_id": check_optional(queue_id, "queue_id"),
            "timestamp": moment.isoformat() if moment else None,
        }
        return Fact(
            lambda uow: self._recorder.assign(uow, data),
            Reads(conversation_id=conversation_id),
        )

    def archival(self, *, conversation_id: str, timestamp: datetime | str | None = None) -> Fact:
        """CXone archived a conversation."""
        moment = check_instant(timestamp, "timestamp")
        data = {
            "conversation_id": check_identifier(conversation_id, "conversation_id"),
            "timestamp": moment.isoformat() if moment else None,
        }
        return Fact(
            lambda uow: self._recorder.archived(uow, data),
            Reads(conversation_id=conversation_id),
        )

    # Commands

    def initiate(
        self, *, to: str, from_: str, text: str, key: str, external_customer_id: str | None = None
    ) -> Receipt:
        """A text that starts from the business, in the open conversation if there is one."""
        check_identifier(key, "key")
        posts = self._posts(text)
        pair = self._pair(
            InboundMessage(
                message_id=key,
                from_=to,
                to=from_,
                text=text,
                external_customer_id=external_customer_id,
            ),
            customer_field="to",
            business_field="from_",
        )
        known_as = f"initiate:{key}"
        content = digest(pair.customer, pair.business, text, external_customer_id or "")
        now = self._clock()

        def work(uow: UnitOfWork) -> Outcome:
            known = uow.known(known_as, now)
            if known is not None:
                return _same_key(uow, known, content)
            conversation = self._join(uow, pair, now)
            _check_opted_in(uow, conversation)
            event = events.conversation_initiated(
                now, key=key, text_digest=_body_digest(conversation, text), posts=posts
            )
            return self._take_in(uow, conversation, event, key=known_as, content=content, text=text)

        return self._run(work, Reads(key=known_as, pair=pair.identity))

    def reply(
        self,
        conversation: str,
        text: str,
        *,
        key: str,
        participant_id: str | None = None,
        on_behalf_of: str | None = None,
        internal_note: bool = False,
    ) -> Receipt:
        """An outbound text or an internal note."""
        check_identifier(key, "key")
        check_optional(participant_id, "participant_id")
        check_optional(on_behalf_of, "on_behalf_of")
        if not isinstance(internal_note, bool):
            raise InvalidMessage("internal_note", "expected true or false")
        posts = _note(text) if internal_note else self._posts(text)
        content = digest(
            "reply", text, participant_id or "", on_behalf_of or "", str(internal_note)
        )

        def event(found: Conversation, now: datetime) -> Event:
            return events.reply_requested(
                now,
                key=key,
                text_digest=_body_digest(found, text),
                posts=posts,
                participant_id=participant_id,
                on_behalf_of=on_behalf_of,
                note=internal_note,
            )

        return self._command(
            conversation, key, content, event, text=text, texts_customer=not internal_note
        )

    def transfer(
        self,
        conversation: str,
        *,
        key: str,
        queue_id: str | None = None,
        agent_id: str | None = None,
        skills: tuple[str, ...] | list[str] | None = None,
        priority: int | None = None,
        transfer_type: str = "warm",
    ) -> Receipt:
        """A hand-over, by routing update alone."""
        check_identifier(key, "key")
        routing = _routing(queue_id, agent_id, skills, priority, transfer_type)
        content = digest("transfer", repr(sorted(routing.to_data().items())))

        def event(_: Conversation, now: datetime) -> Event:
            return events.transfer_requested(now, key=key, routing=routing)

        return self._command(conversation, key, content, event)

    def archive(self, conversation: str, *, key: str | None = None) -> Receipt:
        """Archival by hand."""
        check_optional(key, "key")

        def event(_: Conversation, now: datetime) -> Event:
            return events.archive_requested(now, key=key)

        return self._command(conversation, key, digest("archive"), event)

    def retry(self, effect: str, *, actor: str | None = None, reason: str | None = None) -> None:
        """Give a dead letter another go."""
        said = {
            "actor": check_optional(actor, "actor"),
            "reason": check_optional(reason, "reason"),
        }
        now = self._clock()

        def work(uow: UnitOfWork) -> None:
            dead = uow.effect(effect) if is_id(effect) else None
            conversation = None if dead is None else uow.lock(dead.conversation)
            # Read again under the lock: somebody else may have been faster.
            dead = None if conversation is None else uow.dead(effect)
            if dead is None or conversation is None:
                raise UnknownEffect("no dead letter has this id")
            event = events.effect_retried(
                now, effect=dead.id, name=dead.name, message=dead.message, **said
            )
            uow.revive(dead, now)
            self._recorder.record(uow, conversation, event)

        self._store.write(work)

    def _command(
        self,
        conversation: str,
        key: str | None,
        content: str,
        make_event: Callable[[Conversation, datetime], Event],
        *,
        text: str | None = None,
        texts_customer: bool = False,
    ) -> Receipt:
        now = self._clock()
        known_as = None if key is None else f"key:{conversation}:{key}"

        def work(uow: UnitOfWork) -> Outcome:
            found = uow.lock(conversation) if is_id(conversation) else None
            if found is None:
                raise UnknownConversation("no conversation has this id")
            known = uow.known(known_as, now) if known_as is not None else None
            if known is not None:
                return _same_key(uow, known, content)
            if texts_customer:
                _check_opted_in(uow, found)
            return self._take_in(
                uow, found, make_event(found, now), key=known_as, content=content, text=text
            )

        usable = conversation if is_id(conversation) else None
        return self._run(work, Reads(key=known_as if usable else None, conversation=usable))

    def _run_fact(self, fact: Fact) -> Receipt:
        return self._run(fact.take, fact.reads)

    def _run(self, work: Callable[[UnitOfWork], Outcome], reads: Reads) -> Receipt:
        outcome = self._store.write(work, reads)
        if isinstance(outcome, TransitionRefused):
            raise outcome
        return outcome

    def _take_in(
        self,
        uow: UnitOfWork,
        conversation: Conversation,
        event: Event,
        *,
        key: str | None,
        content: str,
        text: str | None,
    ) -> Outcome:
        step: Step = self._recorder.record(uow, conversation, event, text=text)
        if step.refused:
            return TransitionRefused(step.before.state, event.name, step.refusing_guard)
        if key is not None:
            uow.remember(
                key,
                digest=content,
                conversation=conversation.id,
                seq=step.after.seq,
                now=event.at,
            )
        return Receipt(conversation.id, duplicate=False, state=step.after.state)

    # Who talks to whom

    def _pair(
        self,
        message: InboundMessage,
        *,
        customer_field: str = "from_",
        business_field: str = "to",
    ) -> _Pair:
        return _Pair(
            customer=sms.normalise(message.from_, customer_field),
            business=sms.normalise(message.to, business_field),
            isolation=self._isolated(message),
            name=_described(message.name, "name"),
            external_customer_id=check_optional(
                message.external_customer_id, "external_customer_id"
            ),
            preferred_language=check_optional(message.preferred_language, "preferred_language"),
        )

    def _isolated(self, message: InboundMessage) -> str:
        """What the host's isolation rule joins to the pair."""
        joined = self._isolation(message) if self._isolation else ""
        return "" if joined == "" else check_identifier(joined, "isolation")

    def _join(self, uow: UnitOfWork, pair: _Pair, now: datetime) -> Conversation:
        """The one conversation of this pair; the first text makes it."""
        found = uow.lock_pair(pair.customer, pair.business, pair.isolation)
        if found is None:
            return uow.create(self._fresh(pair, now), now)
        if not (pair.name or pair.external_customer_id or pair.preferred_language):
            return found
        told = evolve(
            found,
            name=pair.name or found.name,
            external_customer_id=pair.external_customer_id or found.external_customer_id,
            preferred_language=pair.preferred_language or found.preferred_language,
        )
        if told != found:
            uow.introduce(told)
        return told

    def _fresh(self, pair: _Pair, now: datetime) -> Conversation:
        graph = self._machines.current.graph
        return Conversation(
            id=_new_id(now),
            state=graph.initial,
            graph_version=graph.version,
            graph_hash=graph.behaviour_hash,
            customer=pair.customer,
            business=pair.business,
            isolation=pair.isolation,
            name=pair.name,
            external_customer_id=pair.external_customer_id,
            preferred_language=pair.preferred_language,
        )

    def _posts(self, text: str) -> tuple[sms.Post, ...]:
        sms.check_outbound(text)
        return sms.posts(
            text, max_segments=self._settings.max_segments, overflow=self._settings.overflow
        )


def _new_id(now: datetime) -> str:
    """Sortable by creation, and says nothing of the customer."""
    return f"c{int(now.timestamp() * 1000):012x}{secrets.token_hex(5)}"


def _check_opted_in(uow: UnitOfWork, conversation: Conversation) -> None:
    if uow.opted_out(conversation):
        raise OptedOut("the customer opted out of texts from this business number")


def _repeated(uow: UnitOfWork, known: Known, reason: str) -> Receipt:
    conversation = uow.lock(known.conversation)
    state = conversation.state if conversation else None
    return Receipt(known.conversation, duplicate=True, state=state, reason=reason)


def _same_key(uow: UnitOfWork, known: Known, content: str) -> Receipt:
    if known.digest != content:
        raise KeyReused("key: it was used before, with other content; choose another key")
    return _repeated(uow, known, "duplicate")


def _body_digest(conversation: Conversation, text: str) -> str:
    """Salted with the conversation, so that equal short texts cannot be told across customers."""
    return digest(conversation.id, text)


def _whole(text: str) -> tuple[sms.Post, ...]:
    """An inbound text is one post, however long it is."""
    return (sms.Post(0, len(text), sms.encoding_of(text), len(sms.segments(text)) if text else 0),)


def _note(text: str) -> tuple[sms.Post, ...]:
    """An internal note is one post and has no segments: no carrier sees it."""
    sms.check_outbound(text)
    return (sms.Post(0, len(text), sms.encoding_of(text), 0),)


def _described(value: object, name: str) -> str | None:
    """A free text about the customer: anything but what cannot be encoded."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidMessage(name, f"expected text, got {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidMessage(name, "holds a lone surrogate") from None
    return value


def _routing(
    queue_id: str | None,
    agent_id: str | None,
    skills: tuple[str, ...] | list[str] | None,
    priority: int | None,
    transfer_type: str,
) -> Routing:
    if transfer_type not in _TRANSFER_TYPES:
        raise InvalidMessage("transfer_type", f"expected one of {', '.join(_TRANSFER_TYPES)}")
    if priority is not None and (not isinstance(priority, int) or isinstance(priority, bool)):
        raise InvalidMessage("priority", "expected a whole number")
    if skills is not None and not isinstance(skills, tuple | list):
        raise InvalidMessage("skills", "expected a list of names")
    routing = Routing(
        queue_id=check_optional(queue_id, "queue_id"),
        agent_id=check_optional(agent_id, "agent_id"),
        skills=tuple(check_identifier(skill, "skills") for skill in skills or ()),
        priority=priority,
        transfer_type=transfer_type,
    )
    if not routing.assigned and not routing.skills and priority is None:
        raise InvalidMessage("queue_id", "a transfer names a queue, an agent, skills or a priority")
    return routing
