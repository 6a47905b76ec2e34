"""Routing updates, delivery polls, the host's other channel and the host's own effects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from sms_fsm import events
from sms_fsm.conversation import MessageStatus, Routing
from sms_fsm.dispatch.opening import check_open, troubled
from sms_fsm.dispatch.outcome import Again, Attempt, Finished, Outcome
from sms_fsm.errors import CXoneError, InvalidMessage
from sms_fsm.logs import get_logger
from sms_fsm.messages import FailedMessage, status_data
from sms_fsm.ports import RemoteStatus

_log = get_logger(__name__)


def route_conversation(attempt: Attempt) -> Outcome:
    """The first routing of a new CXone conversation."""
    return _route(attempt, attempt.routing)


def update_routing(attempt: Attempt) -> Outcome:
    """A hand-over; participants are never touched (guide, section 2)."""
    return _route(attempt, Routing.from_data(attempt.effect.data["routing"]))


def _route(attempt: Attempt, routing: Routing) -> Outcome:
    if attempt.blocked:
        return attempt.step_back()
    try:
        sleeping = check_open(attempt)
        if sleeping is not None:
            return sleeping
        attempt.platform.update_routing(
            attempt.conversation_id, routing, timeout_seconds=attempt.timeout_seconds
        )
    except CXoneError as error:
        return troubled(attempt, error)
    event = events.routing_updated(attempt.now, effect=attempt.effect.id, routing=routing)
    return Outcome(Finished(), (event,))


def poll_delivery(attempt: Attempt) -> Outcome:
    """Ask for the carriers' word, until there is one (guide, section 3)."""
    message = attempt.message
    if message is None or message.settled or not message.message_ids:
        return Outcome(Finished())
    posted_in = attempt.around.posted_in(message.message_ids[-1])
    if posted_in is None:
        return Outcome(Finished())
    try:
        found = attempt.platform.delivery_statuses(
            posted_in, timeout_seconds=attempt.timeout_seconds
        )
    except CXoneError as error:
        return attempt.delayed(error) if error.retryable else attempt.died(str(error))
    longest = attempt.graph.policies.poll_longest.total_seconds()
    wait = min(attempt.effect.data["wait_seconds"] * 2, longest)
    again = Again(attempt.now + timedelta(seconds=wait), data={"wait_seconds": wait})
    return Outcome(again, reports=tuple(_reports(found)))


def _reports(found: Iterable[RemoteStatus]) -> Iterator[Mapping[str, Any]]:
    """What the engine can use of them; a malformed one must not hide the others."""
    for remote in found:
        if remote.direction == "inbound":
            continue
        try:
            yield status_data(remote)
        except InvalidMessage as error:
            _log.warning("delivery.malformed_status", field=error.field, reason=error.reason)


def send_fallback(attempt: Attempt) -> Outcome:
    """Hand the text to the host's other channel; after a crash again, with the same key."""
    message, fallback = attempt.message, attempt.around.fallback
    if message is None or message.status is MessageStatus.DELIVERED:
        return Outcome(Finished())
    if attempt.opted_out:
        return attempt.withdrawn(message)
    if fallback is None:
        return attempt.died("no fallback is configured")
    if message.text is None:
        return attempt.died("the text was erased")
    failed = FailedMessage(
        key=message.key,
        conversation=attempt.conversation.id,
        customer=attempt.conversation.customer,
        business=attempt.conversation.business,
        text=message.text,
        reason="carriers failed it",
        codes=message.codes,
        attempts=message.attempts,
    )
    try:
        fallback(failed)
    except Exception as error:  # noqa: BLE001 - a host's channel may raise anything
        return _host_failed(attempt, error)
    event = events.fallback_sent(attempt.now, effect=attempt.effect.id, message=message.seq)
    return Outcome(Finished(), (event,))


def host_effect(attempt: Attempt) -> Outcome:
    """An effect that the host registered."""
    handler = attempt.around.handlers.get(attempt.effect.name)
    if handler is None:
        return attempt.died(f"no handler is registered for {attempt.effect.name}")
    _, seq, _ = attempt.effect.id.split(":")
    event = attempt.around.logged(attempt.conversation.id, int(seq))
    try:
        handler(attempt.conversation, event, attempt.effect.id)
    except Exception as error:  # noqa: BLE001 - a host's handler may raise anything
        return _host_failed(attempt, error)
    return Outcome(Finished())


def _host_failed(attempt: Attempt, error: Exception) -> Outcome:
    _log.warning(
        "effect.host_failed",
        effect=attempt.effect.id,
        effect_name=attempt.effect.name,
        error=type(error).__name__,
    )
    trouble = CXoneError(
        attempt.effect.name, status=None, code=type(error).__name__, retryable=True
    )
    return attempt.delayed(trouble)


def raise_timer(attempt: Attempt) -> Outcome:
    """A timer that waited in the outbox raises its event."""
    effect = attempt.effect
    data = {**effect.data, "message": effect.message}
    return Outcome(Finished(), (events.Event(effect.name, attempt.now, data),))
