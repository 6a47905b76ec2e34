"""The guards that states.yaml may name: pure predicates on (conversation, event).

They see the conversation *after* the event was folded in: "nothing outstanding" means that this
event settled the last text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sms_fsm.conversation import Conversation, Direction, Message, Turn
from sms_fsm.events import Event

Guard = Callable[[Conversation, Event], bool]

# Members that every step needs, by names of their own: looking one up takes longer than a call.
_RETRY = Turn.RETRY
_FALLBACK = Turn.FALLBACK
_INBOUND = Direction.INBOUND
_SETTLING = (Turn.DELIVERED, Turn.FAILED)


def already_routed(conversation: Conversation, event: Event) -> bool:
    """It was adopted or reactivated with a queue or an agent."""
    return conversation.routing.assigned and event.data["how"] not in ("created", "found")


def is_outbound(conversation: Conversation, event: Event) -> bool:
    """The text goes to the customer; internal notes do not."""
    message = conversation.message(event.message)
    return message is not None and message.outbound


def is_inbound(conversation: Conversation, event: Event) -> bool:
    """The text came from the customer."""
    message = conversation.message(event.message)
    return message is not None and message.direction is _INBOUND


def retry_planned(conversation: Conversation, event: Event) -> bool:
    """This report makes another attempt necessary."""
    return _turned(conversation, event, _RETRY)


def fallback_planned(conversation: Conversation, event: Event) -> bool:
    """This event leaves only the other channel."""
    return _turned(conversation, event, _FALLBACK)


def message_settled(conversation: Conversation, event: Event) -> bool:
    """This event is the last word on its text."""
    message = conversation.message(event.message)
    return message is not None and message.turn in _SETTLING


def nothing_outstanding(conversation: Conversation, event: Event) -> bool:
    """This event settled the last outstanding text."""
    return conversation.outstanding == 0 and message_settled(conversation, event)


def spell_failed(conversation: Conversation, _: Event) -> bool:
    """A text of this waiting spell failed for good."""
    return conversation.spell_failed > 0


def spell_recovered(conversation: Conversation, event: Event) -> bool:
    """The last failure of the spell was taken back by a late ``delivered``."""
    return conversation.spell_failed == 0 and nothing_outstanding(conversation, event)


def retry_still_planned(conversation: Conversation, event: Event) -> bool:
    """Nothing settled the text while its retry waited."""
    message = conversation.message(event.message)
    return message is not None and message.parts[event.data["part"]].retry_at is not None


def _turned(conversation: Conversation, event: Event, turn: Turn) -> bool:
    message: Message | None = conversation.message(event.message)
    return message is not None and message.turn is turn


GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        guard.__name__: guard
        for guard in (
            already_routed,
            fallback_planned,
            is_inbound,
            is_outbound,
            message_settled,
            nothing_outstanding,
            retry_planned,
            retry_still_planned,
            spell_failed,
            spell_recovered,
        )
    }
)
