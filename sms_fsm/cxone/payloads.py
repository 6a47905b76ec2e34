"""The guide dialect's JSON and our values, both ways.

Answers are checked strictly for what the engine relies on; fields that it does not know or need
are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from sms_fsm.conversation import Routing
from sms_fsm.ports import (
    NewConversation,
    NewMessage,
    RemoteConversation,
    RemoteMessage,
    RemoteStatus,
)

_Id = Annotated[str, Field(min_length=1)]
_MOMENT = TypeAdapter(datetime)


def conversation_request(new: NewConversation) -> dict[str, Any]:
    """The body of createConversation."""
    return {
        "channel_type": "sms",
        "initiated_by": "customer" if new.inbound else "agent",
        "direction": _direction(inbound=new.inbound),
        "participants": [_customer(new)],
        "routing": routing_request(new.routing),
        "status": "active",
    }


def _customer(new: NewConversation) -> dict[str, Any]:
    properties = {
        "business_address": new.business,
        "client_reference": new.client_reference,
        "external_customer_id": new.external_customer_id,
        "preferred_language": new.preferred_language,
    }
    return _given(
        role="customer",
        address=new.customer,
        address_type="phone",
        name=new.name,
        properties=_given(**properties),
    )


def message_request(new: NewMessage) -> dict[str, Any]:
    """The body of postMessage.

    The encoding is always declared: a text without one is taken as GSM-7 and cut at 160 septets
    (wire contract, postMessage; guide, edge case 1).
    """
    return _given(
        direction=_direction(inbound=new.inbound),
        participant_id=new.participant_id,
        type="text",
        content={"text": new.text},
        encoding=new.encoding.value,
        metadata=_given(
            client_reference=new.client_reference,
            internal_note=None if new.inbound else new.internal_note,
            sent_on_behalf_of=new.on_behalf_of,
        ),
    )


def routing_request(routing: Routing) -> dict[str, Any]:
    """The body of updateRouting."""
    return {"strategy": "agent", **routing.to_data()}


def reactivation_request(routing: Routing) -> dict[str, Any]:
    """The body of updateConversation that brings an archived conversation back (guide, part 4)."""
    return {
        "status": "active",
        "archived": False,
        "routing": {**routing_request(routing), "refresh_carrier_route": True},
    }


def _direction(*, inbound: bool) -> str:
    return "inbound" if inbound else "outbound"


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Routing(_Wire):
    queue_id: str | None = None
    agent_id: str | None = None
    skills: tuple[str, ...] | None = None
    priority: int | None = None
    transfer_type: str | None = None

    def value(self) -> Routing:
        return Routing(
            queue_id=self.queue_id or None,
            agent_id=self.agent_id or None,
            skills=self.skills or (),
            priority=self.priority,
            transfer_type=self.transfer_type or None,
        )


class _Participant(_Wire):
    role: str
    participant_id: str | None = None
    address: str | None = Field(default=None, repr=False)
    properties: dict[str, Any] | None = Field(default=None, repr=False)


class _Conversation(_Wire):
    conversation_id: _Id = Field(alias="conversationId")
    status: str
    archived: bool
    participants: tuple[_Participant, ...]
    routing: _Routing | None = None

    def value(self) -> RemoteConversation:
        marks = next((each.properties or {} for each in self._having("customer")), {})
        agents = [each.participant_id for each in self._having("agent") if each.participant_id]
        return RemoteConversation(
            conversation_id=self.conversation_id,
            archived=self.archived or self.status == "archived",
            closed=self.status == "closed",
            routing=(self.routing or _Routing()).value(),
            business_address=_text(marks, "business_address"),
            client_reference=_text(marks, "client_reference"),
            agent_participant_id=agents[-1] if agents else None,
        )

    def is_of(self, customer: str) -> bool:
        """Whether the customer is this one, as far as the platform says who it is."""
        addresses = {_digits(each.address) for each in self._having("customer") if each.address}
        return not addresses or _digits(customer) in addresses

    def _having(self, role: str) -> list[_Participant]:
        return [each for each in self.participants if each.role == role]


class _Message(_Wire):
    message_id: _Id
    metadata: dict[str, Any] | None = Field(default=None, repr=False)

    def value(self) -> RemoteMessage:
        return RemoteMessage(self.message_id, _text(self.metadata or {}, "client_reference"))


class _Status(_Wire):
    message_id: _Id
    conversation_id: _Id
    status: _Id
    direction: str | None = None
    status_code: str | None = None
    carrier_status: str | None = None
    error_code: str | None = None
    segments: int | None = None
    timestamp: datetime | None = None

    @field_validator("timestamp", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> datetime | None:
        """A time that can't be read must not cost the carrier's word itself."""
        try:
            moment = _MOMENT.validate_python(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValidationError, OverflowError):
            return None

    def value(self) -> RemoteStatus:
        return RemoteStatus(**dict(self))


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    """A text out of free fields, which others may have filled with anything."""
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def _digits(address: str) -> str:
    return "".join(filter(str.isdigit, address))


_CONVERSATIONS = TypeAdapter(tuple[_Conversation, ...])
_MESSAGES = TypeAdapter(tuple[_Message, ...])
_STATUSES = TypeAdapter(tuple[_Status, ...])


def conversation(body: bytes) -> RemoteConversation:
    """Raises ValueError, as all readers here, when the body is not what the wire file says."""
    return _Conversation.model_validate_json(body).value()


def conversations_of(customer: str, body: bytes) -> tuple[RemoteConversation, ...]:
    """The found conversations. One that names another customer's number is no match."""
    found = _CONVERSATIONS.validate_json(body)
    return tuple(each.value() for each in found if each.is_of(customer))


def message(body: bytes) -> RemoteMessage:
    return _Message.model_validate_json(body).value()


def messages_after(last: str | None, body: bytes) -> tuple[RemoteMessage, ...]:
    """The messages later than this one.

    A list that has it once more does not heed ``after`` (wire contract, listMessages): nobody
    knows where it ends, so what it lacks is not proved to be absent.
    """
    found = tuple(each.value() for each in _MESSAGES.validate_json(body))
    if any(each.message_id == last for each in found):
        raise ValueError("the list does not go on after the message that was named")
    return found


def statuses(body: bytes) -> tuple[RemoteStatus, ...]:
    return tuple(each.value() for each in _STATUSES.validate_json(body))
