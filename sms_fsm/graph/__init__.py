"""The state graph: its model, its document, its checks and its versions."""

from sms_fsm.graph.model import (
    ClosedPolicy,
    EffectType,
    EventKind,
    EventType,
    Mark,
    Migration,
    OnFailure,
    Policies,
    State,
    StateGraph,
    Timer,
    Transition,
    UnknownCodes,
)
from sms_fsm.graph.names import Names

__all__ = [
    "ClosedPolicy",
    "EffectType",
    "EventKind",
    "EventType",
    "Mark",
    "Migration",
    "Names",
    "OnFailure",
    "Policies",
    "State",
    "StateGraph",
    "Timer",
    "Transition",
    "UnknownCodes",
]
