"""The state graph: its model, its document, its checks and its versions."""

from sms_fsm.graph.loader import (
    check_file,
    check_text,
    default_graph,
    default_graph_text,
    load_graph_file,
    load_graph_text,
    load_stored_graph,
)
from sms_fsm.graph.migration import check_migration, check_version
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
from sms_fsm.graph.versions import Change, GraphDiff, Item, behaviour_hash, diff

__all__ = [
    "Change",
    "ClosedPolicy",
    "EffectType",
    "EventKind",
    "EventType",
    "GraphDiff",
    "Item",
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
    "behaviour_hash",
    "check_file",
    "check_migration",
    "check_text",
    "check_version",
    "default_graph",
    "default_graph_text",
    "diff",
    "load_graph_file",
    "load_graph_text",
    "load_stored_graph",
]
