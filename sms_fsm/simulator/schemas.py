"""Request bodies of the wire contract. Known fields are checked strictly, unknown ones ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sms_fsm.simulator.records import Json
from sms_fsm.simulator.wire import Call, Refusal

Status = Literal["active", "closed", "archived"]


class Body(BaseModel):
    """Base: optional fields may be absent, never null; only what was posted is given back."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Routing(Body):
    """Routing of the wire contract."""

    strategy: Literal["agent", "queue", "bot"] = "queue"
    queue_id: str = ""
    agent_id: str = ""
    skills: list[str] = []
    priority: int = 0
    transfer_type: Literal["warm", "cold"] = "warm"
    refresh_carrier_route: bool = False


class Participant(Body):
    """Participant of the wire contract."""

    participant_id: str = ""
    role: Literal["customer", "agent", "bot"]
    address: str = ""
    address_type: Literal["phone", "agent"] = "phone"
    name: str = ""
    properties: dict[str, Any] = {}


class NewConversation(Body):
    """NewConversation of the wire contract."""

    channel_type: Literal["sms"]
    initiated_by: Literal["customer", "agent", "system"] = "system"
    direction: Literal["inbound", "outbound"]
    participants: Annotated[list[Participant], Field(min_length=1)]
    routing: Routing = Routing()
    status: Status = "active"


class ConversationUpdate(Body):
    """Body of updateConversation."""

    status: Status = "active"
    archived: bool = False
    routing: Routing = Routing()


class Content(Body):
    """What a message says."""

    text: str


class Metadata(Body):
    """Free, but for the fields that the wire contract types."""

    model_config = ConfigDict(strict=True, extra="allow")
    internal_note: bool = False
    sent_on_behalf_of: str = ""
    client_reference: str = ""


class NewMessage(Body):
    """NewMessage of the wire contract."""

    direction: Literal["inbound", "outbound"]
    participant_id: str = ""
    type: Literal["text"]
    content: Content
    encoding: Literal["gsm7", "utf8"] = "gsm7"
    metadata: Metadata = Metadata()


def posted(schema: type[Body], call: Call) -> Json:
    """The known fields of a JSON body, as posted.

    Raises:
        Refusal: 400 invalid_request, naming every field that is wrong and why.
    """
    _require_json(call)
    try:
        return schema.model_validate_json(call.body).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise _invalid(error) from error


def posted_participants(call: Call) -> list[Json]:
    """The list of a replaceParticipants body, bare or under ``participants``.

    Raises:
        Refusal: 400 invalid_request.
    """
    _require_json(call)
    try:
        return [p.model_dump(exclude_unset=True) for p in _replacement(call.body)]
    except ValidationError as error:
        raise _invalid(error) from error


class _Replacement(Body):
    participants: list[Participant]


def _replacement(body: bytes) -> list[Participant]:
    if body.lstrip().startswith(b"["):
        return TypeAdapter(list[Participant]).validate_json(body, strict=True)
    return _Replacement.model_validate_json(body).participants


def _require_json(call: Call) -> None:
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(400, "invalid_request", "Content-Type must be application/json")


def _invalid(error: ValidationError) -> Refusal:
    problems = (
        f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    )
    return Refusal(400, "invalid_request", "; ".join(problems))
