"""What commands write as JSON: the attribute names of the Python interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sms_fsm.cli.addresses import shown
from sms_fsm.cli.timeline import segments
from sms_fsm.conversation import Conversation, Message
from sms_fsm.effects import Effect
from sms_fsm.log import LoggedEvent


def conversation_document(conversation: Conversation, *, reveal: bool) -> dict[str, Any]:
    """A conversation without its texts; numbers are masked unless revealed."""
    return {
        "id": conversation.id,
        "conversation_id": conversation.conversation_id,
        "state": conversation.state,
        "customer": shown(conversation.customer, reveal=reveal),
        "business": shown(conversation.business, reveal=reveal),
        "external_customer_id": conversation.external_customer_id,
        "routing": conversation.routing.to_data(),
        "graph_version": conversation.graph_version,
    }


def story_document(
    conversation: Conversation,
    history: Sequence[LoggedEvent],
    waiting: Sequence[Effect],
    *,
    reveal: bool,
) -> dict[str, Any]:
    """A conversation with all that ``show`` shows."""
    return conversation_document(conversation, reveal=reveal) | {
        "messages": [_message(message, reveal=reveal) for message in conversation.messages],
        "history": [asdict(event) for event in history],
        "effects": [effect_document(effect) for effect in waiting],
        "timers": dict(conversation.timers),
    }


def effect_document(effect: Effect) -> dict[str, Any]:
    """An effect of the outbox."""
    return {
        "id": effect.id,
        "name": effect.name,
        "conversation": effect.conversation,
        "state": effect.state,
        "attempts": effect.attempts,
        "reason": effect.reason,
        "due_at": effect.due_at,
    }


def _message(message: Message, *, reveal: bool) -> dict[str, Any]:
    text = {"text": message.text} if reveal else {}
    return {
        "key": message.key,
        "direction": message.direction,
        "internal_note": message.note,
        "status": message.status,
        "segments": segments(message),
        "attempts": message.attempts,
        "message_ids": message.message_ids,
    } | text
