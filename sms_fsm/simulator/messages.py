"""The operations on messages and delivery records. Like those on conversations, they only say."""

from __future__ import annotations

from sms_fsm.simulator import gsm
from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Changes, Conversation, Delivery, Json, Message, wire_time
from sms_fsm.simulator.rules import one_of, refuse_archived, refuse_closed
from sms_fsm.simulator.schemas import NewMessage, posted
from sms_fsm.simulator.wire import Answer, Call, Refusal

_DIRECTIONS = ("inbound", "outbound")


def list_messages(platform: Platform, call: Call) -> Answer:
    """Content, oldest first, without any word of a carrier."""
    messages = [
        m.wire for m in platform.messages_of(platform.conversation(call.conversation_id).id)
    ]
    after = call.query.get("after")
    if after is None:
        return Answer(200, messages)
    place = next((n for n, m in enumerate(messages, 1) if m["message_id"] == after), None)
    if place is None:
        raise Refusal(400, "invalid_request", "after: no message of this conversation has this id")
    return Answer(200, messages[place:])


def post_message(platform: Platform, call: Call) -> Answer:
    """One more message, whatever there is already."""
    body = posted(NewMessage, call)
    conversation = platform.conversation(call.conversation_id)
    refuse_closed(conversation)
    refuse_archived(conversation)
    message = _new_message(platform, conversation, body)
    return Answer(
        201,
        message.wire,
        changes=Changes(messages=(message,), deliveries=_delivery(platform, message)),
        violation=_text_violation(conversation, message),
        message_id=message.id,
        client_reference=message.client_reference,
    )


def list_delivery_status(platform: Platform, call: Call) -> Answer:
    """What the carriers confirmed: one record a message, its newest status."""
    conversation_id = call.query.get("conversation_id")
    if conversation_id is None:
        raise Refusal(400, "invalid_request", "conversation_id: is missing")
    direction = one_of(call.query, "direction", _DIRECTIONS)
    records = platform.deliveries_of(platform.conversation(conversation_id).id)
    return Answer(200, [d.wire for d in records if direction in (None, d.wire["direction"])])


def _new_message(platform: Platform, conversation: Conversation, body: Json) -> Message:
    text = body["content"]["text"]
    internal = body.get("metadata", {}).get("internal_note", False)
    wire = {
        **body,
        "content": {"text": text if internal else _kept(text, body.get("encoding"))},
        "message_id": f"msg-{len(platform.messages) + 1:08d}",
        "conversation_id": conversation.id,
        "created_at": wire_time(platform.now()),
    }
    return Message(wire, text, body.get("metadata", {}).get("client_reference"))


def _kept(text: str, encoding: str | None) -> str:
    if encoding == "utf8":
        return text
    return gsm.survivors(text) if encoding == "gsm7" else gsm.undeclared(text)


def _delivery(platform: Platform, message: Message) -> tuple[Delivery, ...]:
    if message.internal:
        return ()
    wire = {
        "message_id": message.id,
        "conversation_id": message.conversation_id,
        "direction": message.wire["direction"],
        "status": "queued" if message.outbound else "delivered",
        "status_code": None,
        "carrier_status": None,
        "timestamp": wire_time(platform.now()),
        "segments": gsm.segments(message.wire["content"]["text"], message.wire.get("encoding")),
        "error_code": None,
    }
    return (Delivery(wire),)


def _text_violation(conversation: Conversation, message: Message) -> str | None:
    if message.wire["content"]["text"] != message.text:
        return "truncated"
    if conversation.stale_link and message.outbound and not message.internal:
        return "stale_link"
    return None
