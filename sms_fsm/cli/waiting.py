"""What a conversation still has to do."""

from __future__ import annotations

from collections.abc import Sequence

from sms_fsm.conversation import Conversation
from sms_fsm.effects import Effect, EffectState
from sms_fsm.store import Queries

_OVER = (EffectState.DONE, EffectState.CANCELLED)


def waiting_effects(queries: Queries, conversation: Conversation) -> Sequence[Effect]:
    """Effects that wait, are held by a worker or gave up.

    Polls for a text that carriers had the last word on are left out: they end when they are due,
    without a call.
    """
    settled = {message.seq for message in conversation.messages if message.settled}
    return [
        effect
        for effect in queries.effects(conversation.id)
        if effect.state not in _OVER
        and not (effect.name == "PollDelivery" and effect.message in settled)
    ]
