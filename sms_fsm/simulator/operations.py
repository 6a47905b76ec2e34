"""Which request line is which operation, and what scope it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from sms_fsm.simulator import conversations, messages
from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.wire import Answer, Call, Refusal


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its operationId, the OAuth scope it needs and what it does."""

    name: str
    scope: str
    run: Callable[[Platform, Call], Answer]


_CONVERSATION = "/api/v2/conversations/{id}"
_ROUTES = {
    ("GET", "/api/v2/conversations"): Operation(
        "findConversations", "conversations.read", conversations.find_conversations
    ),
    ("POST", "/api/v2/conversations"): Operation(
        "createConversation", "conversations.write", conversations.create_conversation
    ),
    ("GET", _CONVERSATION): Operation(
        "getConversation", "conversations.read", conversations.get_conversation
    ),
    ("PUT", _CONVERSATION): Operation(
        "updateConversation", "conversations.write", conversations.update_conversation
    ),
    ("PUT", f"{_CONVERSATION}/routing"): Operation(
        "updateRouting", "conversations.write", conversations.update_routing
    ),
    ("GET", f"{_CONVERSATION}/participants"): Operation(
        "listParticipants", "participants.read", conversations.list_participants
    ),
    ("POST", f"{_CONVERSATION}/participants"): Operation(
        "addParticipant", "participants.write", conversations.add_participant
    ),
    ("PUT", f"{_CONVERSATION}/participants"): Operation(
        "replaceParticipants", "participants.write", conversations.replace_participants
    ),
    ("GET", f"{_CONVERSATION}/messages"): Operation(
        "listMessages", "messages.read", messages.list_messages
    ),
    ("POST", f"{_CONVERSATION}/messages"): Operation(
        "postMessage", "messages.write", messages.post_message
    ),
    ("GET", "/api/v2/delivery-status"): Operation(
        "listDeliveryStatus", "delivery-status.read", messages.list_delivery_status
    ),
}
OPERATIONS = {operation.name: operation for operation in _ROUTES.values()}
"""All operations but issueToken, by operationId."""

_ID_PLACE = 4


def resolved(name: str) -> Operation:
    """The operation of this operationId.

    Raises:
        Refusal: 404 not_found.
    """
    if name not in OPERATIONS:
        raise Refusal(404, "not_found", "there is no such operation")
    return OPERATIONS[name]


def resolve(method: str, path: str) -> tuple[str, str | None]:
    """The operationId and conversation id of a request line; ("unknown", None) if there is none."""
    if (method, path) == ("POST", "/api/v2/oauth/token"):
        return "issueToken", None
    parts = path.split("/")
    conversation_id = None
    if path.startswith("/api/v2/conversations/"):
        conversation_id, parts[_ID_PLACE] = unquote(parts[_ID_PLACE]), "{id}"
    operation = _ROUTES.get((method, "/".join(parts)))
    return (operation.name, conversation_id) if operation else ("unknown", None)
