"""The operations on conversations and their participants. Each looks at the platform and says what
to answer and what that changes; nothing is changed here, so a fault can drop, delay or hide it.
"""

from __future__ import annotations

from dataclasses import replace

from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Changes, Conversation, Json, Origin, wire_time
from sms_fsm.simulator.rules import one_of, refuse_archived, refuse_closed
from sms_fsm.simulator.schemas import (
    ConversationUpdate,
    NewConversation,
    Participant,
    Routing,
    posted,
    posted_participants,
)
from sms_fsm.simulator.wire import Answer, Call, Refusal

_STATUSES = ("active", "closed", "archived")


def find_conversations(platform: Platform, call: Call) -> Answer:
    """The de-duplication look-up: an exact match of the address, oldest first."""
    one_of(call.query, "channel_type", ("sms",), required=True)
    address = call.query.get("participant_address")
    if address is None:
        raise Refusal(400, "invalid_request", "participant_address: is missing")
    status = one_of(call.query, "status", _STATUSES)
    found = platform.conversations_of(address)
    matches = [c.wire for c in found if status in (None, c.wire["status"])]
    bare_plus = "bare_plus" if address.startswith(" ") else None
    return Answer(200, matches, changes=Changes(looked_up=(address,)), violation=bare_plus)


def create_conversation(platform: Platform, call: Call) -> Answer:
    """One more conversation, whatever there is already."""
    body = posted(NewConversation, call)
    conversation = new_conversation(platform, body)
    unseen = conversation.customer not in platform.looked_up
    return replace(
        _changed(conversation, 201),
        client_reference=conversation.client_reference,
        violation="created_without_look_up" if unseen else None,
    )


def new_conversation(platform: Platform, body: Json, origin: Origin = Origin.API) -> Conversation:
    """A conversation from the fields of a NewConversation."""
    participants = [_identified(platform, p, n) for n, p in enumerate(body["participants"])]
    customer = next((p for p in participants if p["role"] == "customer"), {})
    properties = customer.get("properties", {})
    status = body.get("status", "active")
    now = wire_time(platform.now())
    wire = {
        "conversationId": f"conv-{len(platform.conversations) + 1:08d}",
        "channel_type": "sms",
        "status": status,
        "archived": status == "archived",
        "participants": participants,
        "routing": _lasting(body.get("routing", {})),
        "created_at": now,
        "updated_at": now,
    }
    reference, business = (properties.get(n) for n in ("client_reference", "business_address"))
    return Conversation(wire, origin, reference, business, stale_link=status == "archived")


def get_conversation(platform: Platform, call: Call) -> Answer:
    """The conversation, its archived flag included."""
    return Answer(200, platform.conversation(call.conversation_id).wire)


def update_conversation(platform: Platform, call: Call) -> Answer:
    """A partial update; reactivation is one. Closed for good stays closed."""
    body = posted(ConversationUpdate, call)
    conversation = platform.conversation(call.conversation_id)
    if conversation.closed and body.get("status", "closed") != "closed":
        raise Refusal(409, "conversation_closed", "a closed conversation can't be reactivated")
    routing = body.get("routing", {})
    flags = {name: body[name] for name in ("status", "archived") if name in body}
    updated = _rerouted(platform, conversation, routing, **flags)
    stale = (conversation.stale_link or updated.archived) and not _refreshes(routing)
    return _changed(replace(updated, stale_link=stale))


def update_routing(platform: Platform, call: Call) -> Answer:
    """The hand-over: given fields replace those of the routing context, the others stay."""
    routing = posted(Routing, call)
    conversation = platform.conversation(call.conversation_id)
    refuse_closed(conversation)
    refuse_archived(conversation)
    stale = conversation.stale_link and not _refreshes(routing)
    return _changed(replace(_rerouted(platform, conversation, routing), stale_link=stale))


def list_participants(platform: Platform, call: Call) -> Answer:
    """The participants."""
    return Answer(200, platform.conversation(call.conversation_id).wire["participants"])


def add_participant(platform: Platform, call: Call) -> Answer:
    """One more beside those already there; the same participant_id again renews its entry."""
    body = posted(Participant, call)
    conversation = platform.conversation(call.conversation_id)
    there = conversation.wire["participants"]
    added = _identified(platform, body, len(there), conversation.id)
    others = [p for p in there if p["participant_id"] != added["participant_id"]]
    updated = _with(platform, conversation, participants=[*others, added])
    return replace(_changed(updated, 201), body=added)


def replace_participants(platform: Platform, call: Call) -> Answer:
    """The trap of the guide's section 2: the routing context is cleared, the session orphaned."""
    body = posted_participants(call)
    conversation = platform.conversation(call.conversation_id)
    new = [_identified(platform, p, n, conversation.id) for n, p in enumerate(body)]
    orphan = _with(platform, conversation, participants=new, routing={})
    return replace(_changed(orphan), body=b"", violation="participants_replaced")


def _changed(conversation: Conversation, status: int = 200) -> Answer:
    return Answer(status, conversation.wire, changes=Changes(conversations=(conversation,)))


def _with(platform: Platform, conversation: Conversation, **fields: object) -> Conversation:
    wire = {**conversation.wire, **fields, "updated_at": wire_time(platform.now())}
    return replace(conversation, wire=wire)


def _rerouted(
    platform: Platform, conversation: Conversation, routing: Json, **fields: object
) -> Conversation:
    merged = {**conversation.wire["routing"], **_lasting(routing)}
    return _with(platform, conversation, routing=merged, **fields)


def _lasting(routing: Json) -> Json:
    """Routing without its one order: to refresh the carrier route is done, not kept."""
    return {name: value for name, value in routing.items() if name != "refresh_carrier_route"}


def _refreshes(routing: Json) -> bool:
    return routing.get("refresh_carrier_route") is True


def _identified(platform: Platform, participant: Json, place: int, owner: str = "") -> Json:
    owner = owner or f"conv-{len(platform.conversations) + 1:08d}"
    return {"participant_id": f"part-{owner}-{place + 1}", **participant}
