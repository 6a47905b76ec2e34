"""Immutable facts with a name and a time: all that the machine consumes.

The functions are the only way to make them, so that the data of an event has one shape. Data is
JSON: it goes into the log as it is. It holds digests of texts, never a text or a phone number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from sms_fsm.conversation import Routing
from sms_fsm.delivery import Verdict
from sms_fsm.keywords import Keyword
from sms_fsm.sms import Post

_tuple = tuple.__new__


class _Event(NamedTuple):
    name: str
    at: datetime
    data: Mapping[str, Any]
    message: int | None = None


# A tuple, because one is made for every record that is replayed: a frozen dataclass takes thrice
# the time to make. What its message is, guards and actions ask several times.
class Event(_Event):
    """Something that happened.

    Args:
        name: in the past tense, as in the graph document.
        at: when the engine learned of it, aware and in UTC.
        data: everything that the decision depends on.

    ``message`` is the number of the message that it concerns, if any; the data say it.
    """

    __slots__ = ()

    def __new__(
        cls, name: str, at: datetime, data: Mapping[str, Any], _: int | None = None
    ) -> Self:
        number = data.get("message")
        return _tuple(cls, (name, at, data, number if isinstance(number, int) else None))


COMMANDS = frozenset(
    {"ReplyRequested", "ConversationInitiated", "TransferRequested", "ArchiveRequested"}
)
"""Events that a host asks for; a graph that has no rule for one refuses it."""

MIGRATED = "ConversationMigrated"
"""The one event that no graph decides on: it leads from one graph to another."""


def digest(*parts: str) -> str:
    """SHA-256 of the parts, each with its length before it, as lower-case hex."""
    hasher = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hasher.update(len(encoded).to_bytes(8, "big") + encoded)
    return hasher.hexdigest()


def _slices(posts: Iterable[Post]) -> list[list[Any]]:
    return [[post.start, post.end, post.encoding.value, post.segments] for post in posts]


def message_received(
    at: datetime,
    *,
    key: str,
    text_digest: str,
    posts: Iterable[Post],
    keyword: Keyword | None,
) -> Event:
    """A customer's text came in. ``key`` is the carrier's message id."""
    data = {
        "key": key,
        "digest": text_digest,
        "parts": _slices(posts),
        "keyword": keyword.value if keyword else None,
    }
    return Event("MessageReceived", at, data)


def customer_opted_out(
    at: datetime, *, source: str, key: str | None, text_digest: str | None, posts: Iterable[Post]
) -> Event:
    """The customer wants no more texts. ``source`` is keyword or carrier.

    ``posts`` are those of the one confirmation, none where there is none to send.
    """
    data = {"source": source, "key": key, "digest": text_digest, "parts": _slices(posts)}
    return Event("CustomerOptedOut", at, data)


def customer_opted_in(at: datetime, *, source: str) -> Event:
    """The customer wants texts again."""
    return Event("CustomerOptedIn", at, {"source": source})


def message_withdrawn(at: datetime, *, effect: str, message: int) -> Event:
    """A text was not sent because the customer opted out while it waited."""
    return Event("MessageWithdrawn", at, {"effect": effect, "message": message})


def reply_requested(
    at: datetime,
    *,
    key: str,
    text_digest: str,
    posts: Iterable[Post],
    participant_id: str | None,
    on_behalf_of: str | None,
    note: bool,
) -> Event:
    """The host asked for an outbound text or an internal note."""
    data = {
        "key": key,
        "digest": text_digest,
        "parts": _slices(posts),
        "participant_id": participant_id,
        "on_behalf_of": on_behalf_of,
        "note": note,
    }
    return Event("ReplyRequested", at, data)


def conversation_initiated(
    at: datetime, *, key: str, text_digest: str, posts: Iterable[Post]
) -> Event:
    """The host asked for a text that starts from the business."""
    data = {"key": key, "digest": text_digest, "parts": _slices(posts)}
    return Event("ConversationInitiated", at, data)


def transfer_requested(at: datetime, *, key: str, routing: Routing) -> Event:
    """The host asked for a hand-over."""
    return Event("TransferRequested", at, {"key": key, "routing": routing.to_data()})


def archive_requested(at: datetime, *, key: str | None) -> Event:
    """The host archived the conversation by hand."""
    return Event("ArchiveRequested", at, {"key": key})


def conversation_archived(at: datetime, *, source: str) -> Event:
    """CXone archived it. ``source`` is how we know: webhook, conflict or flag."""
    return Event("ConversationArchived", at, {"source": source})


def conversation_closed(at: datetime, *, conversation_id: str | None, effect: str) -> Event:
    """CXone closed it for good; ``effect`` is the id of the effect that was refused."""
    return Event("ConversationClosed", at, {"conversation_id": conversation_id, "effect": effect})


def agent_assigned(
    at: datetime, *, participant_id: str, agent_id: str | None, queue_id: str | None
) -> Event:
    """CXone named the agent participant."""
    data = {"participant_id": participant_id, "agent_id": agent_id, "queue_id": queue_id}
    return Event("AgentAssigned", at, data)


def delivery_reported(
    at: datetime,
    *,
    message: int,
    part: int,
    message_id: str,
    status: str,
    codes: Iterable[str],
    verdict: Verdict,
    fallback: bool,
    revised: bool,
    source: str,
) -> Event:
    """A carrier's word on one post.

    ``fallback`` says whether the host has another channel; ``revised`` that the same status came
    again with another code.
    """
    data = {
        "message": message,
        "part": part,
        "message_id": message_id,
        "status": status,
        "codes": list(codes),
        "outcome": verdict.outcome.value,
        "retryable": verdict.retryable.value,
        "fallback": fallback,
        "revised": revised,
        "source": source,
    }
    return Event("DeliveryReported", at, data)


def conversation_opened(
    at: datetime,
    *,
    effect: str,
    conversation_id: str,
    how: str,
    routing: Routing,
    replaced: str | None,
    participant_id: str | None,
    carrier_profile: str | None,
) -> Event:
    """``how`` is adopted, reactivated, created or found; ``replaced`` is the former CXone id."""
    data = {
        "effect": effect,
        "conversation_id": conversation_id,
        "how": how,
        "routing": routing.to_data(),
        "replaced": replaced,
        "participant_id": participant_id,
        "carrier_profile": carrier_profile,
    }
    return Event("ConversationOpened", at, data)


def conversation_reactivated(
    at: datetime, *, effect: str, how: str, carrier_profile: str | None, carrier_changed: bool
) -> Event:
    """``how`` is put (CXone was asked) or look-up (it was open already)."""
    data = {
        "effect": effect,
        "how": how,
        "carrier_profile": carrier_profile,
        "carrier_changed": carrier_changed,
    }
    return Event("ConversationReactivated", at, data)


def message_posted(
    at: datetime,
    *,
    effect: str,
    message: int,
    part: int,
    reference: str,
    message_id: str,
    how: str,
) -> Event:
    """CXone took one part. ``how`` is answer, or look-up when the answer had been lost."""
    data = {
        "effect": effect,
        "message": message,
        "part": part,
        "reference": reference,
        "message_id": message_id,
        "how": how,
    }
    return Event("MessagePosted", at, data)


def routing_updated(at: datetime, *, effect: str, routing: Routing) -> Event:
    """CXone took a routing update."""
    return Event("RoutingUpdated", at, {"effect": effect, "routing": routing.to_data()})


def fallback_sent(at: datetime, *, effect: str, message: int) -> Event:
    """The host's other channel took the text."""
    return Event("FallbackSent", at, {"effect": effect, "message": message})


def retry_due(at: datetime, *, message: int, part: int) -> Event:
    """The wait before the next attempt at a failed part is over."""
    return Event("RetryDue", at, {"message": message, "part": part})


def timer_elapsed(at: datetime, name: str) -> Event:
    """A timer of the graph ran out."""
    return Event(name, at, {})


def work_blocked(at: datetime, *, effect: str, name: str) -> Event:
    """An effect found its conversation not open, so nothing was called."""
    return Event("WorkBlocked", at, {"effect": effect, "name": name})


def answer_lost(at: datetime, *, effect: str, name: str, reason: str) -> Event:
    """A call was made whose answer did not come: it may or may not have been applied."""
    return Event("AnswerLost", at, {"effect": effect, "name": name, "reason": reason})


def effect_delayed(at: datetime, *, effect: str, name: str, reason: str, until: datetime) -> Event:
    """A call failed in a way that may pass; it is tried again then."""
    data = {"effect": effect, "name": name, "reason": reason, "until": until.isoformat()}
    return Event("EffectDelayed", at, data)


def effect_died(
    at: datetime,
    *,
    effect: str,
    name: str,
    reason: str,
    message: int | None,
    fallback: bool,
) -> Event:
    """An effect gave up and waits for an operator."""
    data = {
        "effect": effect,
        "name": name,
        "reason": reason,
        "message": message,
        "fallback": fallback,
    }
    return Event("EffectDied", at, data)


def conversation_migrated(
    at: datetime,
    *,
    from_version: int,
    from_hash: str,
    to_version: int,
    to_hash: str,
    states: Mapping[str, str],
) -> Event:
    """A conversation moved to another version of its graph, by this map of states.

    The map is data of the event because a graph's hash does not cover its migrations.
    """
    data = {
        "from_version": from_version,
        "from_hash": from_hash,
        "to_version": to_version,
        "to_hash": to_hash,
        "states": dict(states),
    }
    return Event(MIGRATED, at, data)


def effect_retried(
    at: datetime,
    *,
    effect: str,
    name: str,
    message: int | None,
    actor: str | None = None,
    reason: str | None = None,
) -> Event:
    """An operator gave a dead letter another go: who, and why, where they said so."""
    data = {"effect": effect, "name": name, "message": message, "actor": actor, "reason": reason}
    return Event("EffectRetried", at, data)
