"""Posting texts: in order, each part once, and never again without looking first.

An answer that got lost is neither done nor failed. The text is looked for by its reference at
once, and again when the platform must have settled; only the later look-up may conclude that it
is absent.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sms_fsm import events
from sms_fsm.conversation import Message
from sms_fsm.dispatch.opening import check_open, troubled
from sms_fsm.dispatch.outcome import Again, Attempt, Finished, Outcome
from sms_fsm.errors import CXoneError
from sms_fsm.ports import NewMessage
from sms_fsm.sms import Encoding


def post_message(attempt: Attempt) -> Outcome:
    """Post the next part of a text that CXone has not taken yet."""
    message = attempt.message
    if message is None or _next_part(attempt, message) is None or _unwanted(message):
        return Outcome(Finished())
    try:
        if attempt.effect.unknown_since is not None:
            lost = _settle(attempt, message)
            if lost is not None:
                return lost
        if attempt.opted_out and message.outbound and not message.confirmation:
            return attempt.withdrawn(message)
        if attempt.blocked:
            return attempt.step_back()
        return check_open(attempt) or _post(attempt, message)
    except CXoneError as error:
        return _failed(attempt, message, error)


def _unwanted(message: Message) -> bool:
    """Whether the last word on it was said while the effect waited."""
    return message.outbound and (message.settled or message.exhausted)


def _next_part(attempt: Attempt, message: Message) -> int | None:
    data = attempt.effect.data
    waiting = (n for n in data["parts"] if len(message.parts[n].attempts) < data["attempt"])
    return next(waiting, None)


def _reference(attempt: Attempt, part: int) -> str:
    """Derived, so that every attempt at this post carries the same."""
    return f"{attempt.effect.id}.{part}"


def _settle(attempt: Attempt, message: Message) -> Outcome | None:
    """What became of the post whose answer was lost; None: it certainly did not take place."""
    part = _next_part(attempt, message)
    if part is None or attempt.conversation.conversation_id is None:
        return None
    reference = _reference(attempt, part)
    for listed in attempt.platform.list_messages(
        attempt.conversation_id, timeout_seconds=attempt.timeout_seconds
    ):
        if listed.client_reference == reference:
            return _taken(attempt, message, part, listed.message_id, "look-up")
    return attempt.unsettled()


def _post(attempt: Attempt, message: Message) -> Outcome:
    part = _next_part(attempt, message)
    if part is None:
        return Outcome(Finished())
    if message.text is None:
        return attempt.died("the text was erased")
    taken = attempt.platform.post_message(
        attempt.conversation_id,
        _payload(attempt, message, part),
        timeout_seconds=attempt.timeout_seconds,
    )
    return _taken(attempt, message, part, taken.message_id, "answer")


def _payload(attempt: Attempt, message: Message, number: int) -> NewMessage:
    part = message.parts[number]
    inbound = not message.outbound and not message.note
    agent = message.participant_id or attempt.conversation.participant_id
    return NewMessage(
        text=(message.text or "")[part.start : part.end],
        encoding=Encoding(part.encoding),
        inbound=inbound,
        client_reference=_reference(attempt, number),
        participant_id=None if inbound else agent,
        on_behalf_of=message.on_behalf_of,
        internal_note=message.note,
    )


def _taken(attempt: Attempt, message: Message, part: int, message_id: str, how: str) -> Outcome:
    event = events.message_posted(
        attempt.now,
        effect=attempt.effect.id,
        message=message.seq,
        part=part,
        reference=_reference(attempt, part),
        message_id=message_id,
        how=how,
    )
    data = attempt.effect.data
    left = [
        n for n in data["parts"] if n != part and len(message.parts[n].attempts) < data["attempt"]
    ]
    return Outcome(Again(attempt.now) if left else Finished(), (event,))


def _failed(attempt: Attempt, message: Message, error: CXoneError) -> Outcome:
    """A lost post is looked up at once, and again when it must have settled."""
    since = attempt.effect.unknown_since
    if not error.ambiguous:
        outcome = troubled(attempt, error)
        if isinstance(outcome.then, Again) and since is not None:
            return replace(outcome, then=replace(outcome.then, unknown_since=since))
        return outcome
    return attempt.lost(error, partial(_settle, message=message))
