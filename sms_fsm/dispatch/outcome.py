"""What carrying out an effect led to, as a value: events to record and what the effect does next.

Nothing here waits. A wait is a due time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tenacity import RetryCallState, Retrying, wait_exponential

from sms_fsm import events
from sms_fsm.config import Settings
from sms_fsm.conversation import Conversation, Message, Routing
from sms_fsm.effects import Effect
from sms_fsm.errors import CXoneError
from sms_fsm.events import Event
from sms_fsm.graph import StateGraph
from sms_fsm.log import LoggedEvent
from sms_fsm.messages import FailedMessage
from sms_fsm.ports import Messaging

CarrierLookup = Callable[[str], str]
Fallback = Callable[[FailedMessage], None]
EffectHandler = Callable[[Conversation, LoggedEvent, str], None]

_SHORTEST_CALL_SECONDS = 0.05
_LEASE_RESERVE = 0.1  # of the lease is kept for recording the outcome


@dataclass(frozen=True, slots=True)
class Finished:
    """It is done."""


@dataclass(frozen=True, slots=True)
class StepBack:
    """It goes when what was just planned before it is done. ``failed`` counts a failure."""

    failed: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """It goes again at ``due_at``.

    ``failed`` counts a failure towards backoff and the time for retries; ``unknown_since`` is
    when a call was made whose answer is not known; ``looked_up`` that it was looked for after a
    404.
    """

    due_at: datetime
    reason: str | None = None
    failed: bool = False
    unknown_since: datetime | None = None
    looked_up: bool = False
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """It gives up."""

    reason: str


Next = Finished | StepBack | Again | Dead


@dataclass(frozen=True, slots=True)
class Outcome:
    """Events to record, carriers' words to report, and what the effect does next."""

    then: Next
    events: tuple[Event, ...] = ()
    reports: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What effects are carried out with.

    Args:
        platform: CXone.
        carrier_lookup: names the present carrier profile of a number, or None.
        fallback: the host's other channel, or None.
        handlers: the host's own effects.
        held_by_others: which of these CXone conversations another pair holds.
        posted_in: the CXone conversation that a message id was posted in.
        logged: an event of the log.
    """

    platform: Messaging
    settings: Settings
    clock: Callable[[], datetime]
    held_by_others: Callable[[str, list[str]], frozenset[str]]
    posted_in: Callable[[str], str | None]
    logged: Callable[[str, int], LoggedEvent]
    carrier_lookup: CarrierLookup | None = None
    fallback: Fallback | None = None
    handlers: Mapping[str, EffectHandler] = field(default_factory=dict)


class LeaseTooShort(Exception):
    """There is no time left for another call; nothing was called."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go at one effect: what it is about, and how long there is.

    ``ends`` is the monotonic time at which the lease must be over, in seconds; ``opted_out`` says
    that the customer wants no texts.
    """

    effect: Effect
    conversation: Conversation
    message: Message | None
    graph: StateGraph
    around: Surroundings
    ends: float
    opted_out: bool = False

    @property
    def now(self) -> datetime:
        return self.around.clock()

    @property
    def platform(self) -> Messaging:
        return self.around.platform

    @property
    def conversation_id(self) -> str:
        """CXone's id; asked for only where the conversation is open."""
        if self.conversation.conversation_id is None:
            raise LookupError("an open conversation has an id")
        return self.conversation.conversation_id

    @property
    def timeout_seconds(self) -> float:
        """For the next call: it must end before the lease does, or another worker is at it too.

        Raises:
            LeaseTooShort: there is no time for a call.
        """
        settings = self.around.settings
        reserve = settings.lease_seconds * _LEASE_RESERVE
        left = self.ends - reserve - time.monotonic()
        if left < _SHORTEST_CALL_SECONDS:
            raise LeaseTooShort
        return min(settings.request_timeout_seconds, left)

    @property
    def settled_at(self) -> datetime | None:
        """From when a lost call must have been applied or dropped, if one was lost."""
        since = self.effect.unknown_since
        return since and since + timedelta(seconds=self.around.settings.settle_seconds)

    @property
    def blocked(self) -> bool:
        """Whether its conversation must be opened or reactivated first."""
        state = self.conversation.state
        return self.conversation.conversation_id is None or bool(
            self.graph.outgoing(state, "WorkBlocked")
        )

    @property
    def routing(self) -> Routing:
        """The last known routing, or where new conversations go."""
        settings = self.around.settings
        default = Routing(queue_id=settings.queue_id, skills=settings.skills)
        return self.conversation.routing if self.conversation.routing.assigned else default

    def step_back(self) -> Outcome:
        """The conversation is not open: nothing was called."""
        blocked = events.work_blocked(self.now, effect=self.effect.id, name=self.effect.name)
        return Outcome(StepBack(), (blocked,))

    def withdrawn(self, message: Message) -> Outcome:
        """The customer opted out while it waited: nothing is sent."""
        event = events.message_withdrawn(self.now, effect=self.effect.id, message=message.seq)
        return Outcome(Finished(), (event,))

    def delayed(self, error: CXoneError, *, unknown_since: datetime | None = None) -> Outcome:
        """A failure that may pass: tried again after a growing wait, for a limited time."""
        reason = str(error)
        if self._out_of_time():
            return self.died(
                f"{reason} (tried for {self.graph.effects[self.effect.name].retry_for})"
            )
        wait = error.retry_after_seconds or self._backoff_seconds()
        until = self.now + timedelta(seconds=wait)
        event = events.effect_delayed(
            self.now, effect=self.effect.id, name=self.effect.name, reason=reason, until=until
        )
        again = Again(
            until,
            reason,
            failed=True,
            unknown_since=unknown_since,
            looked_up=self.effect.looked_up,
        )
        return Outcome(again, (event,))

    def lost(self, error: CXoneError, look_up: Callable[[Attempt], Outcome | None]) -> Outcome:
        """A call whose answer was lost: looked up at once, and again when it must have settled.

        ``look_up`` gives None where the call certainly was not applied.
        """
        event = events.answer_lost(
            self.now, effect=self.effect.id, name=self.effect.name, reason=str(error)
        )
        effect = replace(self.effect, unknown_since=self.now, reason=str(error))
        unknown = replace(self, effect=effect)
        try:
            outcome = look_up(unknown)
        except (CXoneError, LeaseTooShort):
            outcome = unknown.unsettled()
        outcome = outcome or unknown.delayed(error, unknown_since=effect.unknown_since)
        return replace(outcome, events=(event, *outcome.events))

    def unsettled(self) -> Outcome | None:
        """What to do about a lost call that was not found: wait, give up, or (None) call again."""
        reason = self.effect.reason or "the answer was lost"
        if self.settled_at is not None and self.now < self.settled_at:
            since = self.effect.unknown_since
            return Outcome(Again(self.settled_at, reason, failed=True, unknown_since=since))
        return self.died(reason) if self._out_of_time() else None

    def died(self, reason: str) -> Outcome:
        """It can never succeed, or was tried for long enough."""
        event = events.effect_died(
            self.now,
            effect=self.effect.id,
            name=self.effect.name,
            reason=reason,
            message=self.effect.message,
            fallback=self.around.fallback is not None,
        )
        return Outcome(Dead(reason), (event,))

    def _out_of_time(self) -> bool:
        started = self.effect.started_at
        retry_for = self.graph.effects[self.effect.name].retry_for
        return started is not None and self.now - started >= retry_for

    def _backoff_seconds(self) -> float:
        settings = self.around.settings
        grow = wait_exponential(
            multiplier=settings.backoff_base_seconds, max=settings.backoff_max_seconds
        )
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self.effect.failures + 1
        # Jitter only shortens, so that a host can count on the wait that settings name.
        return grow(state) * random.uniform(0.75, 1)  # noqa: S311 - spreads load, hides nothing
