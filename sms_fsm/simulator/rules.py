"""Rules that several operations share; each refuses what breaks it."""

from __future__ import annotations

from collections.abc import Mapping

from sms_fsm.simulator.records import Conversation
from sms_fsm.simulator.wire import Refusal


def refuse_closed(conversation: Conversation) -> None:
    """409 conversation_closed."""
    if conversation.closed:
        raise Refusal(409, "conversation_closed", "the conversation was closed for good")


def refuse_archived(conversation: Conversation) -> None:
    """409 conversation_archived."""
    if conversation.archived:
        raise Refusal(409, "conversation_archived", "the conversation is archived: reactivate it")


def one_of(
    query: Mapping[str, str], name: str, allowed: tuple[str, ...], *, required: bool = False
) -> str | None:
    """A query parameter that must be one of a few, or 400 invalid_request."""
    value = query.get(name)
    if value in allowed or (value is None and not required):
        return value
    raise Refusal(400, "invalid_request", f"{name}: must be one of {', '.join(allowed)}")
