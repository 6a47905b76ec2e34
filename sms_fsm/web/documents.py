"""What the JSON API takes and gives: the names of the Python interface."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr

from sms_fsm import messages
from sms_fsm.conversation import Conversation, Message


class NewReply(BaseModel):
    """An outbound text or an internal note; the same key twice is one message."""

    model_config = ConfigDict(extra="forbid")

    text: StrictStr
    key: StrictStr
    participant_id: StrictStr | None = None
    on_behalf_of: StrictStr | None = None
    internal_note: StrictBool = False


class NewTransfer(BaseModel):
    """A hand-over by routing update."""

    model_config = ConfigDict(extra="forbid")

    key: StrictStr
    queue_id: StrictStr | None = None
    agent_id: StrictStr | None = None
    skills: list[StrictStr] | None = None
    priority: StrictInt | None = None
    transfer_type: StrictStr = "warm"


class ReceiptDocument(BaseModel):
    """What became of a call."""

    conversation: str | None
    duplicate: bool
    state: str | None
    reason: str | None

    @classmethod
    def of(cls, receipt: messages.Receipt) -> Self:
        return cls(
            conversation=receipt.conversation,
            duplicate=receipt.duplicate,
            state=receipt.state,
            reason=receipt.reason,
        )


class MessageDocument(BaseModel):
    """A text of a conversation; ``text`` is null when it was erased."""

    key: str
    direction: str
    text: str | None
    status: str
    message_ids: list[str]
    attempts: int

    @classmethod
    def of(cls, message: Message) -> Self:
        return cls(
            key=message.key,
            direction=message.direction,
            text=message.text,
            status=message.status,
            message_ids=list(message.message_ids),
            attempts=message.attempts,
        )


class ConversationDocument(BaseModel):
    """A conversation; a page of many has them without their texts."""

    id: str
    conversation_id: str | None
    state: str
    customer: str
    business: str
    external_customer_id: str | None
    routing: dict[str, Any]
    graph_version: int
    messages: list[MessageDocument]

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        return cls(
            id=conversation.id,
            conversation_id=conversation.conversation_id,
            state=conversation.state,
            customer=conversation.customer,
            business=conversation.business,
            external_customer_id=conversation.external_customer_id,
            routing=conversation.routing.to_data(),
            graph_version=conversation.graph_version,
            messages=[MessageDocument.of(message) for message in conversation.messages],
        )


class PageDocument(BaseModel):
    """A page of conversations; ``next`` goes into ``after`` for the one behind it."""

    items: list[ConversationDocument]
    next: str | None


class ErrorDocument(BaseModel):
    """What is wrong; ``code`` is the name of the error in Python."""

    error: str
    code: str
