"""What each event means for the data of a conversation: a pure fold.

It decides nothing about states; it knows the graph's policies because they say when a failed
delivery is final. Events that mean nothing for the data are simply absent here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sms_fsm.conversation import (
    Attempt,
    Conversation,
    Direction,
    Message,
    MessageStatus,
    Part,
    Routing,
    Turn,
)
from sms_fsm.delivery import Outcome, Retryable
from sms_fsm.events import Event
from sms_fsm.graph import Policies, UnknownCodes
from sms_fsm.values import evolve

_RANK = {Outcome.UNKNOWN: 0, Outcome.PENDING: 0, Outcome.FAILED: 1, Outcome.DELIVERED: 2}
_SILENT_STATUSES = frozenset({"queued", "accepted"})
# By a table, because it is looked up in every report: calling an enumeration takes thrice the time.
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}

# New values are copies of these, which is faster than a dataclass's own way.
_PART = Part(0, 0, "", 0)
_TEXT = Message(0, "", Direction.INBOUND, ())
_POST = Attempt("", "")

# Members that every step needs, by names of their own: looking one up takes longer than a call.
_FAILED = Outcome.FAILED
_INBOUND = Direction.INBOUND
_OUTBOUND = Direction.OUTBOUND
_TEXT_DELIVERED = MessageStatus.DELIVERED
_TEXT_FAILED = MessageStatus.FAILED
_TEXT_SENT = MessageStatus.SENT
_TEXT_ACCEPTED = MessageStatus.ACCEPTED
_TURN_DELIVERED = Turn.DELIVERED
_TURN_FAILED = Turn.FAILED


def fold(conversation: Conversation, event: Event, policies: Policies) -> Conversation:
    """The conversation after this event; state, timers and number are left to the machine.

    Every message of the result has ``turn`` set only if this event decided something about it.
    """
    change = _CHANGES.get(event.name)
    calm = _calm(conversation)
    return change(calm, event, policies) if change else calm


def _calm(conversation: Conversation) -> Conversation:
    """The same, without what the last event decided."""
    for message in conversation.messages:
        if message.turn is not None:
            messages = tuple(evolve(message, turn=None) for message in conversation.messages)
            return evolve(conversation, messages=messages)
    return conversation


def _text_taken_in(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    data = event.data
    inbound = event.name == "MessageReceived"
    message = evolve(
        _TEXT,
        seq=conversation.seq + 1,
        key=data["key"],
        direction=_INBOUND if inbound else _OUTBOUND,
        note=data.get("note", False),
        participant_id=data.get("participant_id"),
        on_behalf_of=data.get("on_behalf_of"),
        parts=_parts(data["parts"]),
    )
    return conversation.with_message(message)


def _parts(slices: list[list[Any]]) -> tuple[Part, ...]:
    return tuple(
        [
            evolve(_PART, start=start, end=end, encoding=encoding, segments=segments)
            for start, end, encoding, segments in slices
        ]
    )


def _opted_out(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    """The one confirmation is a text like any other, but not withdrawn."""
    if not event.data["parts"]:
        return conversation
    confirmation = Message(
        seq=conversation.seq + 1,
        key=event.data["key"],
        direction=_OUTBOUND,
        parts=_parts(event.data["parts"]),
        confirmation=True,
    )
    return conversation.with_message(confirmation)


def _given_up(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    message = conversation.message(event.message)
    if message is None or message.settled:
        return conversation
    return _settle(conversation, message, _TURN_FAILED)


def _opened(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    data = event.data
    return evolve(
        conversation,
        conversation_id=data["conversation_id"],
        routing=Routing.from_data(data["routing"]),
        participant_id=data["participant_id"] or conversation.participant_id,
        carrier_profile=data["carrier_profile"] or conversation.carrier_profile,
        opening=False,
        contacted_at=event.at,
    )


def _reactivated(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    return evolve(
        conversation,
        carrier_profile=event.data["carrier_profile"] or conversation.carrier_profile,
        opening=False,
        contacted_at=event.at,
    )


def _closed(conversation: Conversation, _: Event, __: Policies) -> Conversation:
    return evolve(conversation, opening=False, participant_id=None)


def _routing_updated(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    routing = conversation.routing.updated(Routing.from_data(event.data["routing"]))
    return evolve(conversation, routing=routing, contacted_at=event.at)


def _assigned(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    data = event.data
    named = Routing(queue_id=data["queue_id"], agent_id=data["agent_id"])
    return evolve(
        conversation,
        participant_id=data["participant_id"],
        routing=conversation.routing.updated(named),
    )


def _posted(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    data = event.data
    message = conversation.message(event.message)
    if message is None:
        return conversation
    part = message.parts[data["part"]]
    attempt = evolve(_POST, reference=data["reference"], message_id=data["message_id"])
    part = evolve(part, attempts=(*part.attempts, attempt), retry_at=None)
    begins = message.outbound and not message.taken and not message.settled
    message = _with_parts(message, _replaced(message.parts, data["part"], part), taken=True)
    return evolve(
        conversation,
        messages=conversation.messages_with(message),
        outstanding=conversation.outstanding + begins,
        contacted_at=event.at,
    )


def _reported(conversation: Conversation, event: Event, policies: Policies) -> Conversation:
    data = event.data
    message = conversation.message(event.message)
    if message is None:
        return conversation
    number = data["part"]
    part, failed_now = _with_word(message.parts[number], data)
    delivered = part.delivered
    if delivered and part.retry_at is not None:
        part = evolve(part, retry_at=None)
    parts = _replaced(message.parts, number, part)
    if delivered and all(part.delivered for part in parts):
        return _settle(conversation, message, _TURN_DELIVERED, parts)
    message = _with_parts(message, parts, taken=message.taken)
    if failed_now and not delivered and not message.settled and not message.exhausted:
        return _judge_failure(conversation, message, event, policies)
    return conversation.with_message(message)


def _with_word(part: Part, data: Mapping[str, Any]) -> tuple[Part, bool]:
    """The part with this report, and whether its newest attempt is to be judged as failed."""
    index = [attempt.message_id for attempt in part.attempts].index(data["message_id"])
    attempt = part.attempts[index]
    outcome = _OUTCOMES[data["outcome"]]
    better = _RANK[outcome] > _RANK[attempt.outcome]
    failed = outcome is _FAILED and (better or data["revised"])
    attempt = evolve(
        attempt,
        outcome=outcome if better else attempt.outcome,
        seen=attempt.seen if data["revised"] else (*attempt.seen, data["status"]),
        codes=tuple(data["codes"]) if failed else attempt.codes,
    )
    attempts = (*part.attempts[:index], attempt, *part.attempts[index + 1 :])
    newest = index == len(part.attempts) - 1
    return evolve(part, attempts=attempts), failed and newest


def _judge_failure(
    conversation: Conversation, message: Message, event: Event, policies: Policies
) -> Conversation:
    """Another attempt, the other channel, or the end."""
    number = event.data["part"]
    part = message.parts[number]
    if _retryable(event, policies) and part.failures <= len(policies.retry_after):
        if part.retry_at is not None:
            return conversation.with_message(message)
        retry_at = event.at + policies.retry_after[part.failures - 1]
        parts = _replaced(message.parts, number, evolve(part, retry_at=retry_at))
        return conversation.with_message(evolve(message, parts=parts, turn=Turn.RETRY))
    return _exhaust(conversation, message, fallback=event.data["fallback"])


def _retryable(event: Event, policies: Policies) -> bool:
    word = Retryable(event.data["retryable"])
    if word is Retryable.UNKNOWN:
        return policies.unknown_codes is UnknownCodes.RETRY
    return word is Retryable.YES


def _exhaust(conversation: Conversation, message: Message, *, fallback: bool) -> Conversation:
    message = evolve(
        message,
        exhausted=True,
        parts=_without_retries(message.parts),
    )
    if fallback:
        return conversation.with_message(evolve(message, turn=Turn.FALLBACK))
    return _settle(conversation, message, _TURN_FAILED)


def _settle(
    conversation: Conversation, message: Message, turn: Turn, parts: tuple[Part, ...] | None = None
) -> Conversation:
    """The last word on a message. A late ``delivered`` takes back an earlier failure.

    ``parts`` are what the message has now, where this event changed them.
    """
    ended = message.taken and not message.settled
    delivered = turn is _TURN_DELIVERED
    failures = conversation.spell_failed
    if delivered and message.failed_in_spell == conversation.spell:
        failures -= 1
    if not delivered and ended:
        failures += 1
    message = evolve(
        message,
        settled=True,
        status=_TEXT_DELIVERED if delivered else _TEXT_FAILED,
        failed_in_spell=conversation.spell if not delivered and ended else None,
        parts=_without_retries(message.parts if parts is None else parts),
        turn=turn,
    )
    return evolve(
        conversation,
        messages=conversation.messages_with(message),
        outstanding=conversation.outstanding - ended,
        spell_failed=failures,
    )


def _died(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    message = conversation.message(event.message)
    if message is None or message.settled or event.data["name"] == "PollDelivery":
        return conversation
    if event.data["name"] == "PostMessage" and message.taken and not message.exhausted:
        return _exhaust(conversation, message, fallback=event.data["fallback"])
    if message.outbound:
        return _settle(conversation, message, _TURN_FAILED)
    return conversation.with_message(evolve(message, status=_TEXT_FAILED))


def _retried(conversation: Conversation, event: Event, _: Policies) -> Conversation:
    """An operator's word: the text waits again, as if it had not failed."""
    message = conversation.message(event.message)
    if message is None or event.data["name"] != "PostMessage":
        return conversation
    again = message.taken and message.settled
    recovered = message.failed_in_spell == conversation.spell
    waiting = evolve(
        message,
        settled=False,
        exhausted=False,
        failed_in_spell=None,
        status=_reached(message.parts) or MessageStatus.QUEUED,
    )
    return evolve(
        conversation,
        messages=conversation.messages_with(waiting),
        outstanding=conversation.outstanding + again,
        spell_failed=conversation.spell_failed - recovered,
    )


def _replaced(parts: tuple[Part, ...], number: int, part: Part) -> tuple[Part, ...]:
    return (*parts[:number], part, *parts[number + 1 :])


def _with_parts(message: Message, parts: tuple[Part, ...], *, taken: bool) -> Message:
    """The text with these parts, and the status that they make; settled texts keep theirs."""
    reached = None if message.settled else _reached(parts)
    return evolve(message, parts=parts, status=reached or message.status, taken=taken)


def _reached(parts: tuple[Part, ...]) -> MessageStatus | None:
    """The status that the attempts amount to; None without any."""
    reached = None
    for part in parts:
        for attempt in part.attempts:
            if not _SILENT_STATUSES.issuperset(attempt.seen):
                return _TEXT_SENT
            reached = _TEXT_ACCEPTED
    return reached


def _without_retries(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    for part in parts:
        if part.retry_at is not None:
            return tuple(evolve(part, retry_at=None) for part in parts)
    return parts


_CHANGES: dict[str, Callable[[Conversation, Event, Policies], Conversation]] = {
    "MessageReceived": _text_taken_in,
    "ReplyRequested": _text_taken_in,
    "ConversationInitiated": _text_taken_in,
    "ConversationOpened": _opened,
    "ConversationReactivated": _reactivated,
    "ConversationClosed": _closed,
    "RoutingUpdated": _routing_updated,
    "AgentAssigned": _assigned,
    "MessagePosted": _posted,
    "DeliveryReported": _reported,
    "FallbackSent": _given_up,
    "MessageWithdrawn": _given_up,
    "CustomerOptedOut": _opted_out,
    "EffectDied": _died,
    "EffectRetried": _retried,
}
