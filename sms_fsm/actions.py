"""The actions that states.yaml may name: pure functions of a transition that plan effects.

They see the conversation after the event was folded in, and the graph's policies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sms_fsm.conversation import Conversation
from sms_fsm.effects import Cancellation, Lane, PlannedEffect
from sms_fsm.events import Event
from sms_fsm.graph import Policies

Plan = Iterable[PlannedEffect | Cancellation]
Planner = Callable[[Conversation, Event, Policies], Plan]


@dataclass(frozen=True, slots=True)
class Action:
    """A planner with the names of the effects that it may plan."""

    plan: Planner
    effects: tuple[str, ...] = ()


# Members that every step needs, by names of their own: looking one up takes longer than a call.
_ORDERED = Lane.ORDERED
_FRONT = Lane.FRONT
_BESIDE = Lane.BESIDE


def open_conversation(conversation: Conversation, _: Event, __: Policies) -> Plan:
    """Look up, adopt, reactivate or create, before all that waits; once."""
    return _before_all("OpenConversation", conversation)


def reactivate_conversation(conversation: Conversation, _: Event, __: Policies) -> Plan:
    """Bring it back before all that waits; once."""
    return _before_all("ReactivateConversation", conversation)


def post_message(conversation: Conversation, _: Event, __: Policies) -> Plan:
    """Post the text that this event brought, in its order."""
    seq = conversation.seq + 1
    message = conversation.message(seq)
    if message is None:
        return ()
    data = {"parts": list(range(len(message.parts))), "attempt": 1}
    return (PlannedEffect("PostMessage", _ORDERED, data, message=seq),)


def post_again(conversation: Conversation, event: Event, _: Policies) -> Plan:
    """Post the failed part once more, under a new reference."""
    message = conversation.message(event.message)
    if message is None:
        return ()
    part = event.data["part"]
    data = {"parts": [part], "attempt": len(message.parts[part].attempts) + 1}
    return (PlannedEffect("PostMessage", _ORDERED, data, message=message.seq),)


def route_conversation(conversation: Conversation, _: Event, __: Policies) -> Plan:
    """The first routing of a new CXone conversation, by whoever opens it."""
    return () if conversation.opening else (PlannedEffect("RouteConversation", _ORDERED),)


def replace_conversation(_: Conversation, __: Event, ___: Policies) -> Plan:
    """Open and route a successor before all that waits: a waiting transfer has the last word."""
    return (
        Cancellation(("RouteConversation",)),
        PlannedEffect("RouteConversation", _FRONT),
        PlannedEffect("OpenConversation", _FRONT),
    )


def skip_first_routing(_: Conversation, __: Event, ___: Policies) -> Plan:
    """It has a queue or an agent already."""
    return (Cancellation(("RouteConversation",)),)


def update_routing(_: Conversation, event: Event, __: Policies) -> Plan:
    """A hand-over."""
    return (PlannedEffect("UpdateRouting", _ORDERED, {"routing": event.data["routing"]}),)


def poll_delivery(conversation: Conversation, event: Event, policies: Policies) -> Plan:
    """Ask for the carriers' word later, in case no callback comes."""
    message = conversation.message(event.message)
    if message is None or message.settled:
        return ()
    wait = policies.poll_first
    data = {"wait_seconds": wait.total_seconds()}
    return (
        Cancellation(("PollDelivery",), message.seq),
        PlannedEffect("PollDelivery", _BESIDE, data, wait, message.seq),
    )


def schedule_retry(conversation: Conversation, event: Event, _: Policies) -> Plan:
    """Wait, then send the failed part again."""
    message = conversation.message(event.message)
    retry_at = message.parts[event.data["part"]].retry_at if message else None
    if message is None or retry_at is None:
        return ()
    data = {"part": event.data["part"]}
    wait = retry_at - event.at
    return (PlannedEffect("RetryDue", _BESIDE, data, wait, message.seq, timer=True),)


def cancel_resend(_: Conversation, event: Event, __: Policies) -> Plan:
    """Nothing more is to be sent for this text."""
    return (Cancellation(("RetryDue", "PostMessage", "SendFallback"), event.message),)


def send_fallback(_: Conversation, event: Event, __: Policies) -> Plan:
    """Hand the text to the host's other channel."""
    return (PlannedEffect("SendFallback", _BESIDE, message=event.message),)


def _before_all(name: str, conversation: Conversation) -> Plan:
    return () if conversation.opening else (PlannedEffect(name, _FRONT),)


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "cancel_resend": Action(cancel_resend),
        "open_conversation": Action(open_conversation, ("OpenConversation",)),
        "poll_delivery": Action(poll_delivery, ("PollDelivery",)),
        "post_again": Action(post_again, ("PostMessage",)),
        "post_message": Action(post_message, ("PostMessage",)),
        "reactivate_conversation": Action(reactivate_conversation, ("ReactivateConversation",)),
        "replace_conversation": Action(
            replace_conversation, ("OpenConversation", "RouteConversation")
        ),
        "route_conversation": Action(route_conversation, ("RouteConversation",)),
        "schedule_retry": Action(schedule_retry),
        "send_fallback": Action(send_fallback, ("SendFallback",)),
        "skip_first_routing": Action(skip_first_routing),
        "update_routing": Action(update_routing, ("UpdateRouting",)),
    }
)
