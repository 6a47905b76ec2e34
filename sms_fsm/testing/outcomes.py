"""What an answer of the platform comes to: the events that the engine records of it.

They are those of `sms_fsm.dispatch`; a test holds both to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sms_fsm import events
from sms_fsm.conversation import Routing
from sms_fsm.delivery import judge
from sms_fsm.effects import Lane
from sms_fsm.events import Event
from sms_fsm.graph import ClosedPolicy, StateGraph
from sms_fsm.testing.answers import Answer
from sms_fsm.testing.life import Happening, Life, Waiting

SHORTLY = timedelta(seconds=5)
"""Between two happenings that have nothing to wait for."""

QUEUE = Routing(queue_id="queue_1")

_PASSING = (Answer.UNAUTHORIZED, Answer.LIMITED, Answer.BROKEN, Answer.TIME_OUT)
_CALLED = (Answer.OK, *_PASSING, Answer.FORBIDDEN)
_OPENED = (*_CALLED, Answer.GONE, Answer.ARCHIVED, Answer.CLOSED)

ANSWERS: Mapping[str, tuple[Answer, ...]] = MappingProxyType(
    {
        "OpenConversation": (*_CALLED, Answer.ARCHIVED, Answer.LOST),
        "ReactivateConversation": _OPENED,
        "PostMessage": (*_OPENED, Answer.LOST),
        "RouteConversation": _OPENED,
        "UpdateRouting": _OPENED,
        "PollDelivery": (*_CALLED, Answer.GONE),
    }
)
"""How calls of the engine's own effects can be answered."""

OF_HOSTS = (Answer.OK, Answer.BROKEN)
"""A host's function returns or raises."""

_OPERATIONS = {
    "OpenConversation": "createConversation",
    "ReactivateConversation": "updateConversation",
    "PostMessage": "postMessage",
    "RouteConversation": "updateRouting",
    "UpdateRouting": "updateRouting",
    "PollDelivery": "listDeliveryStatus",
}
_CREATING = ("OpenConversation", "PostMessage")


def outcomes(life: Life, graph: StateGraph) -> Iterator[Happening]:
    """Everything that the effects and timers which are ready can come to."""
    for waiting in life.ready:
        yield from _Going(life, graph, waiting).outcomes()
    for waiting in life.dead:
        yield _retried(life, waiting)


def _retried(life: Life, waiting: Waiting) -> Happening:
    effect = waiting.effect
    event = events.effect_retried(
        life.now + SHORTLY, effect=waiting.id, name=effect.name, message=effect.message
    )
    return Happening(f"{effect.name}: given another go", SHORTLY, (event,), revives=waiting.id)


@dataclass(frozen=True, slots=True)
class _Going:
    """An effect that is being carried out."""

    life: Life
    graph: StateGraph
    waiting: Waiting

    @property
    def name(self) -> str:
        return self.waiting.effect.name

    @property
    def now(self) -> datetime:
        return self.life.now + SHORTLY

    @property
    def label(self) -> str:
        number = self.waiting.effect.message
        about = "" if number is None else f" of text {self.life.ordinal(number)}"
        return f"{self.name}{about}"

    def outcomes(self) -> Iterator[Happening]:
        if self.waiting.effect.timer:
            yield self._due()
            return
        for answer in ANSWERS.get(self.name, OF_HOSTS):
            yield from self._answered(answer)
        if self._blocked:
            yield self._told("must wait", self._work_blocked())
        if self.life.opted_out and self.name in ("PostMessage", "SendFallback"):
            yield from self._withdrawn()
        if self.name not in ANSWERS:
            yield from self._died("gave up", None, self.graph.effects[self.name].retry_for)

    def _told(self, what: str, *told: Event, answer: Answer | None = None) -> Happening:
        label = f"{self.label}: {what}"
        return Happening(label, SHORTLY, told, effect=self.name, answer=answer)

    def _done(self, what: str, *told: Event, answer: Answer | None = None) -> Happening:
        label = f"{self.label}: {what}"
        return Happening(
            label, SHORTLY, told, effect=self.name, answer=answer, ends=self.waiting.id
        )

    def _due(self) -> Happening:
        effect = self.waiting.effect
        at = max(self.waiting.due_at, self.now)
        event = Event(effect.name, at, {**effect.data, "message": effect.message})
        return Happening(f"{self.label} is due", at - self.life.now, (event,), ends=self.waiting.id)

    @property
    def _blocked(self) -> bool:
        """Whether it finds the conversation not open."""
        conversation = self.life.conversation
        asleep = self.graph.outgoing(conversation.state, "WorkBlocked")
        opens = self.name in ("OpenConversation", "ReactivateConversation")
        ordered = self.waiting.effect.lane is not Lane.BESIDE and not opens
        return ordered and (conversation.conversation_id is None or bool(asleep))

    def _answered(self, answer: Answer) -> Iterator[Happening]:
        match answer:
            case Answer.OK:
                for what, told in self._succeeded():
                    yield self._done(what, *told, answer=answer)
            case Answer.LOST:
                for what, told in self._succeeded(found=True):
                    yield self._done(what, self._answer_lost(answer), *told, answer=answer)
            case Answer.FORBIDDEN | Answer.GONE:
                yield from self._died(answer.value, answer, SHORTLY)
            case Answer.ARCHIVED:
                yield self._told(answer.value, *self._archived(), answer=answer)
            case Answer.CLOSED:
                yield from self._closed()
            case _:
                yield self._told(answer.value, self._troubled(answer), answer=answer)

    # Events

    def _reason(self, answer: Answer) -> str:
        operation = _OPERATIONS.get(self.name, self.name)
        return str(answer.error(operation, creates=self.name in _CREATING))

    def _troubled(self, answer: Answer) -> Event:
        ambiguous = answer in (Answer.BROKEN, Answer.TIME_OUT) and self.name in _CREATING
        return self._answer_lost(answer) if ambiguous else self._delayed(answer)

    def _answer_lost(self, answer: Answer) -> Event:
        return events.answer_lost(
            self.now, effect=self.waiting.id, name=self.name, reason=self._reason(answer)
        )

    def _delayed(self, answer: Answer) -> Event:
        return events.effect_delayed(
            self.now,
            effect=self.waiting.id,
            name=self.name,
            reason=self._reason(answer),
            until=self.now + SHORTLY,
        )

    def _work_blocked(self) -> Event:
        return events.work_blocked(self.now, effect=self.waiting.id, name=self.name)

    def _archived(self) -> tuple[Event, ...]:
        if self.name == "OpenConversation":
            return (self._delayed(Answer.ARCHIVED),)
        archived = events.conversation_archived(self.now, source="conflict")
        if self.name == "ReactivateConversation":
            return (archived, self._delayed(Answer.ARCHIVED))
        return (archived, self._work_blocked())

    def _closed(self) -> Iterator[Happening]:
        answer = Answer.CLOSED
        if self.graph.policies.closed_conversation is ClosedPolicy.HOLD:
            yield from self._died(answer.value, answer, SHORTLY)
            return
        event = events.conversation_closed(
            self.now,
            conversation_id=self.life.conversation.conversation_id,
            effect=self.waiting.id,
        )
        ends = self.name == "ReactivateConversation"
        yield (self._done if ends else self._told)(answer.value, event, answer=answer)

    def _died(self, what: str, answer: Answer | None, passed: timedelta) -> Iterator[Happening]:
        """With and without another channel: that decides what comes next."""
        for fallback in (True, False):
            event = events.effect_died(
                self.life.now + passed,
                effect=self.waiting.id,
                name=self.name,
                reason=what,
                message=self.waiting.effect.message,
                fallback=fallback,
            )
            yield Happening(
                f"{self.label}: {what}{'' if fallback else ', no other channel'}",
                passed,
                (event,),
                effect=self.name,
                answer=answer,
                ends=self.waiting.id,
                dies=True,
            )

    def _withdrawn(self) -> Iterator[Happening]:
        number = self.waiting.effect.message
        message = self.life.message(number)
        if message is not None and message.outbound and not message.confirmation:
            event = events.message_withdrawn(self.now, effect=self.waiting.id, message=message.seq)
            yield self._done("withdrawn", event)

    # What went well

    def _succeeded(self, *, found: bool = False) -> Iterator[tuple[str, tuple[Event, ...]]]:
        """In words and as events; ``found`` by a look-up, after the answer got lost."""
        said = Answer.LOST.value if found else Answer.OK.value
        match self.name:
            case "OpenConversation":
                yield said, (self._opened("found" if found else "created"),)
                if not found:
                    yield f"{said}, adopted", (self._opened("adopted"),)
            case "PostMessage":
                yield said, (self._posted("look-up" if found else "answer"),)
            case "PollDelivery":
                yield said, self._polled()
            case name:
                yield said, _SUCCESSES.get(name, _nothing)(self)

    def _opened(self, how: str) -> Event:
        before = self.life.conversation
        return events.conversation_opened(
            self.now,
            effect=self.waiting.id,
            conversation_id=f"conv-{before.seq + 1}",
            how=how,
            routing=QUEUE,
            replaced=before.conversation_id,
            participant_id=None,
            carrier_profile=None,
        )

    def _posted(self, how: str) -> Event:
        effect = self.waiting.effect
        part = effect.data["parts"][0]
        return events.message_posted(
            self.now,
            effect=self.waiting.id,
            message=effect.message or 0,
            part=part,
            reference=f"{self.waiting.id}.{part}",
            message_id=f"msg-{self.life.conversation.seq + 1}",
            how=how,
        )

    def _polled(self) -> tuple[Event, ...]:
        message = self.life.message(self.waiting.effect.message)
        if message is None or message.settled or not message.message_ids:
            return ()
        word = events.delivery_reported(
            self.now,
            message=message.seq,
            part=0,
            message_id=message.message_ids[-1],
            status="delivered",
            codes=(),
            verdict=judge("delivered", status_code=None, carrier_status=None, error_code=None),
            fallback=False,
            revised=False,
            source="poll",
        )
        return (word,)


def _reactivated(going: _Going) -> tuple[Event, ...]:
    event = events.conversation_reactivated(
        going.now, effect=going.waiting.id, how="put", carrier_profile=None, carrier_changed=False
    )
    return (event,)


def _routed(going: _Going) -> tuple[Event, ...]:
    data = going.waiting.effect.data.get("routing")
    routing = QUEUE if data is None else Routing.from_data(data)
    return (events.routing_updated(going.now, effect=going.waiting.id, routing=routing),)


def _handed_over(going: _Going) -> tuple[Event, ...]:
    number = going.waiting.effect.message or 0
    return (events.fallback_sent(going.now, effect=going.waiting.id, message=number),)


def _nothing(_: _Going) -> tuple[Event, ...]:
    """A host's effect that went well is nothing that the engine records."""
    return ()


_SUCCESSES: Mapping[str, Callable[[_Going], tuple[Event, ...]]] = MappingProxyType(
    {
        "ReactivateConversation": _reactivated,
        "RouteConversation": _routed,
        "UpdateRouting": _routed,
        "SendFallback": _handed_over,
    }
)
