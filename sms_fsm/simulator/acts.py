"""What the platform does by itself to conversations and tokens, as changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Changes, Conversation, Json, Origin, wire_time


def archive(platform: Platform, conversation_id: str | None) -> Changes:
    """Inactivity: archived, and its carrier link goes stale (the guide's section 4)."""
    conversation = platform.conversation(conversation_id)
    return _changed(
        platform, replace(conversation, stale_link=True), status="archived", archived=True
    )


def close(platform: Platform, conversation_id: str | None) -> Changes:
    """Closed for good."""
    return _changed(platform, platform.conversation(conversation_id), status="closed")


def vanish(platform: Platform, conversation_id: str | None) -> Changes:
    """Every call about it answers 404 from now on."""
    return Changes((replace(platform.conversation(conversation_id), vanished=True),))


def assign(platform: Platform, conversation_id: str, agent: Json, routing: Json) -> Changes:
    """The routing engine puts an agent beside the participants and notes it in the routing."""
    conversation = platform.conversation(conversation_id)
    known = conversation.wire["participants"]
    others = [p for p in known if p["participant_id"] != agent["participant_id"]]
    merged = {**conversation.wire["routing"], **routing}
    return _changed(platform, conversation, participants=[*others, agent], routing=merged)


def twin(platform: Platform, address: str | None) -> Changes:
    """A second conversation like the oldest one of this address, if there is any."""
    originals = platform.conversations_of(address or "")
    if not originals:
        return Changes()
    copy_id = f"conv-{len(platform.conversations) + 1:08d}"
    now = wire_time(platform.now())
    wire = {**originals[0].wire, "conversationId": copy_id, "created_at": now, "updated_at": now}
    return Changes((replace(originals[0], wire=wire, origin=Origin.PLATFORM),))


def revoke(platform: Platform) -> Changes:
    """No access token that was issued so far is good any more; refresh tokens are."""
    past = datetime.min.replace(tzinfo=UTC)
    return Changes(sessions=tuple(replace(s, expires_at=past) for s in platform.sessions.values()))


def _changed(platform: Platform, conversation: Conversation, **fields: object) -> Changes:
    wire = {**conversation.wire, **fields, "updated_at": wire_time(platform.now())}
    return Changes((replace(conversation, wire=wire),))
