"""Events in plain words, for people who have not read the graph. No texts, no phone numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sms_fsm.conversation import Direction, Message
from sms_fsm.delivery import Outcome
from sms_fsm.events import MIGRATED
from sms_fsm.log import LoggedEvent

Texts = Mapping[int, Message]
"""The texts of a conversation by their numbers."""


def in_words(event: LoggedEvent, texts: Texts) -> str:
    """What happened, as one sentence without its full stop."""
    wording = WORDINGS.get(event.name)
    said = wording(event.data, texts) if wording else event.name
    return f"{said}, which the graph refuses in this state" if event.refused else said


def subject(texts: Texts, data: Mapping[str, Any]) -> str:
    """What the text that an event is about is called, with its part if it has several."""
    number = data.get("message")
    message = texts.get(number) if isinstance(number, int) else None
    if message is None:
        return "a text"
    kinds = {Direction.INBOUND: "text", Direction.OUTBOUND: "note" if message.note else "reply"}
    part = data.get("part")
    several = len(message.parts) > 1 and isinstance(part, int)
    which = f"part {part + 1} of " if several and isinstance(part, int) else ""
    return f"{which}{kinds[message.direction]} {message.key}"


def _received(data: Mapping[str, Any], _: Texts) -> str:
    return f"the customer texted {data['key']}"


def _reply(data: Mapping[str, Any], _: Texts) -> str:
    what = "an internal note" if data["note"] else "a reply"
    return f"{what} was asked for: {data['key']}"


def _initiated(data: Mapping[str, Any], _: Texts) -> str:
    return f"the business texts first: {data['key']}"


def _transfer(data: Mapping[str, Any], _: Texts) -> str:
    routing = data["routing"]
    manner = routing.get("transfer_type", "")
    return f"a {manner} transfer was asked for, to {_destination(routing)}".replace("  ", " ")


def _archive(_: Mapping[str, Any], __: Texts) -> str:
    return "it was archived by hand"


def _reported(data: Mapping[str, Any], texts: Texts) -> str:
    failed = data["outcome"] == Outcome.FAILED and data["codes"]
    codes = f" ({', '.join(dict.fromkeys(data['codes']))})" if failed else ""
    again = ", the same word with another code" if data["revised"] else ""
    asked = ", when asked" if data["source"] == "poll" else ""
    return f"carrier on {subject(texts, data)}: {data['status']}{codes}{again}{asked}"


def _assigned(data: Mapping[str, Any], _: Texts) -> str:
    return f"CXone assigned {data['agent_id'] or 'an agent'} as {data['participant_id']}"


def _archived(data: Mapping[str, Any], _: Texts) -> str:
    ways = {
        "webhook": "CXone says that it archived it",
        "conflict": "CXone refused a call: it is archived (409)",
        "flag": "a look-up showed that CXone archived it",
    }
    return ways.get(data["source"], "CXone archived it")


def _closed(data: Mapping[str, Any], _: Texts) -> str:
    return f"CXone closed {data['conversation_id'] or 'it'} for good"


def _opened(data: Mapping[str, Any], _: Texts) -> str:
    identity = data["conversation_id"]
    ways = {
        "created": f"CXone created {identity}",
        "adopted": f"{identity} was open already: adopted",
        "reactivated": f"{identity} was archived: brought back and adopted",
        "found": f"the lost answer had created {identity}: found",
    }
    replaced = f", the successor of {data['replaced']}" if data["replaced"] else ""
    return ways.get(data["how"], f"{identity} is open") + replaced


def _reactivated(data: Mapping[str, Any], _: Texts) -> str:
    asked = data["how"] == "put"
    said = "CXone brought it back on a fresh carrier route" if asked else "it was open again"
    changed = f"; the number's carrier is now {data['carrier_profile']}"
    return said + (changed if data["carrier_changed"] else "")


def _posted(data: Mapping[str, Any], texts: Texts) -> str:
    what, identity = subject(texts, data), data["message_id"]
    if data["how"] == "look-up":
        return f"{what} was found at CXone as {identity}: nothing to send again"
    return f"CXone took {what} as {identity}"


def _routed(data: Mapping[str, Any], _: Texts) -> str:
    return f"CXone routed it to {_destination(data['routing'])}"


def _fallback(data: Mapping[str, Any], texts: Texts) -> str:
    return f"the other channel took {subject(texts, data)}"


def _blocked(data: Mapping[str, Any], _: Texts) -> str:
    return f"{data['name']} waits until the conversation is open"


def _lost(data: Mapping[str, Any], _: Texts) -> str:
    return f"the answer to {data['name']} got lost ({data['reason']}): done or not?"


def _delayed(data: Mapping[str, Any], _: Texts) -> str:
    until = datetime.fromisoformat(data["until"])
    return f"{data['name']} failed ({data['reason']}), goes again at {until:%H:%M:%S}"


def _died(data: Mapping[str, Any], _: Texts) -> str:
    return f"{data['name']} gave up: {data['reason']}"


def _retried(data: Mapping[str, Any], _: Texts) -> str:
    who = data.get("actor") or "an operator"
    why = f": {data['reason']}" if data.get("reason") else ""
    return f"{who} gave {data['name']} another go{why}"


def _opted_out(data: Mapping[str, Any], _: Texts) -> str:
    by = "a keyword" if data["source"] == "keyword" else "their carrier"
    return f"the customer wants no more texts, says {by}"


def _opted_in(_: Mapping[str, Any], __: Texts) -> str:
    return "the customer wants texts again"


def _withdrawn(data: Mapping[str, Any], texts: Texts) -> str:
    return f"{subject(texts, data)} was not sent: the customer had opted out"


def _migrated(data: Mapping[str, Any], _: Texts) -> str:
    return f"it moved from graph version {data['from_version']} to {data['to_version']}"


def _idle(_: Mapping[str, Any], __: Texts) -> str:
    return "nobody wrote for long"


def _retry_due(data: Mapping[str, Any], texts: Texts) -> str:
    return f"time to send {subject(texts, data)} again"


def _destination(routing: Mapping[str, Any]) -> str:
    known = (routing.get("agent_id"), routing.get("queue_id"))
    return ", ".join(filter(None, known)) or "other skills or priority"


WORDINGS: Mapping[str, Callable[[Mapping[str, Any], Texts], str]] = {
    "MessageReceived": _received,
    "ReplyRequested": _reply,
    "ConversationInitiated": _initiated,
    "TransferRequested": _transfer,
    "ArchiveRequested": _archive,
    "DeliveryReported": _reported,
    "AgentAssigned": _assigned,
    "ConversationArchived": _archived,
    "ConversationClosed": _closed,
    "ConversationOpened": _opened,
    "ConversationReactivated": _reactivated,
    "MessagePosted": _posted,
    "RoutingUpdated": _routed,
    "FallbackSent": _fallback,
    "WorkBlocked": _blocked,
    "AnswerLost": _lost,
    "EffectDelayed": _delayed,
    "EffectDied": _died,
    "EffectRetried": _retried,
    "CustomerOptedOut": _opted_out,
    "CustomerOptedIn": _opted_in,
    "MessageWithdrawn": _withdrawn,
    MIGRATED: _migrated,
    "IdleElapsed": _idle,
    "RetryDue": _retry_due,
}
