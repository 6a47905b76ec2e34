"""The names that a state graph may use, and what they mean.

The engine's own are there from the start; a host adds guards, actions, effects and isolation
rules of its own. Nothing that a document names is ever imported or evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from sms_fsm.actions import ACTIONS, Action, Plan, Planner
from sms_fsm.conversation import Conversation
from sms_fsm.effects import Lane, PlannedEffect
from sms_fsm.events import Event
from sms_fsm.graph import EventKind, Names, Policies
from sms_fsm.guards import GUARDS, Guard
from sms_fsm.log import LoggedEvent
from sms_fsm.messages import InboundMessage

IsolationRule = Callable[[InboundMessage], str]
EffectHandler = Callable[[Conversation, LoggedEvent, str], None]

V = TypeVar("V")

OWN_EFFECTS = frozenset(
    {
        "OpenConversation",
        "ReactivateConversation",
        "PostMessage",
        "RouteConversation",
        "UpdateRouting",
        "PollDelivery",
        "SendFallback",
    }
)

OWN_EVENTS: Mapping[str, EventKind] = MappingProxyType(
    {
        "ReplyRequested": EventKind.COMMAND,
        "ConversationInitiated": EventKind.COMMAND,
        "TransferRequested": EventKind.COMMAND,
        "ArchiveRequested": EventKind.COMMAND,
        "MessageReceived": EventKind.FACT,
        "DeliveryReported": EventKind.FACT,
        "AgentAssigned": EventKind.FACT,
        "ConversationArchived": EventKind.FACT,
        "CustomerOptedOut": EventKind.FACT,
        "CustomerOptedIn": EventKind.FACT,
        "ConversationClosed": EventKind.FACT,
        "EffectRetried": EventKind.FACT,
        "ConversationOpened": EventKind.OUTCOME,
        "ConversationReactivated": EventKind.OUTCOME,
        "MessagePosted": EventKind.OUTCOME,
        "RoutingUpdated": EventKind.OUTCOME,
        "FallbackSent": EventKind.OUTCOME,
        "MessageWithdrawn": EventKind.OUTCOME,
        "WorkBlocked": EventKind.OUTCOME,
        "AnswerLost": EventKind.OUTCOME,
        "EffectDelayed": EventKind.OUTCOME,
        "EffectDied": EventKind.OUTCOME,
        "IdleElapsed": EventKind.TIMER,
        "RetryDue": EventKind.TIMER,
    }
)


class Registry:
    """What a host adds to the engine, by name.

    Names that exist already are refused with `ValueError`: a graph must not mean two things.
    """

    def __init__(self) -> None:
        self._guards: dict[str, Guard] = dict(GUARDS)
        self._actions: dict[str, Action] = dict(ACTIONS)
        self._effects: dict[str, EffectHandler] = {}
        self._isolations: dict[str, IsolationRule] = {}

    def guard(self, name: str, guard: Guard) -> None:
        """Add a pure predicate on (conversation, event)."""
        self._add(self._guards, name, guard)

    def action(self, name: str, plan: Planner, *, effects: tuple[str, ...]) -> None:
        """Add a pure function that plans effects; ``effects`` names all that it may plan."""
        self._add(self._actions, name, Action(plan, effects))

    def effect(self, name: str, handler: EffectHandler) -> None:
        """Add an effect that the host carries out, and an action of the same name that plans it.

        The handler gets the conversation, the event that planned the effect and a key that is
        the same on every attempt. It is called at least once; raising means trying again.
        """
        self._add(self._effects, name, handler)
        self._add(self._actions, name, Action(partial(_plan_beside, name), (name,)))

    def isolation(self, name: str, rule: IsolationRule) -> None:
        """Add a function of the message whose string joins the (customer, business) pair."""
        self._add(self._isolations, name, rule)

    @property
    def guards(self) -> Mapping[str, Guard]:
        return MappingProxyType(self._guards)

    @property
    def actions(self) -> Mapping[str, Action]:
        return MappingProxyType(self._actions)

    @property
    def effects(self) -> Mapping[str, EffectHandler]:
        """The host's own effects."""
        return MappingProxyType(self._effects)

    @property
    def isolations(self) -> Mapping[str, IsolationRule]:
        return MappingProxyType(self._isolations)

    @property
    def names(self) -> Names:
        """Everything that a graph document may name."""
        return Names(
            guards=frozenset(self._guards),
            actions={name: action.effects for name, action in self._actions.items()},
            isolations=frozenset(self._isolations),
            events=frozenset(OWN_EVENTS),
            effects=OWN_EFFECTS | frozenset(self._effects),
            kinds=OWN_EVENTS,
        )

    @staticmethod
    def _add(known: dict[str, V], name: str, value: V) -> None:
        if name in known:
            raise ValueError(f"{name} is registered already")
        known[name] = value


def _plan_beside(name: str, _: Conversation, event: Event, __: Policies) -> Plan:
    return (PlannedEffect(name, Lane.BESIDE, message=event.message),)
