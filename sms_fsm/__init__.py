"""Keep SMS conversations continuous on NICE CXone: an explicit, durable, replayable machine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sms_fsm.conversation import Conversation, Message, Routing
from sms_fsm.effects import Effect
from sms_fsm.errors import (
    CXoneError,
    GraphError,
    InvalidAddress,
    InvalidMessage,
    KeyReused,
    LogError,
    OptedOut,
    Problem,
    SettingsError,
    SmsFsmError,
    StoreUnavailable,
    TransitionRefused,
    UnknownConversation,
    UnknownEffect,
)
from sms_fsm.graph import StateGraph
from sms_fsm.log import LoggedEvent
from sms_fsm.messages import DeliveryStatus, FailedMessage, InboundMessage, Receipt
from sms_fsm.registry import Registry

__all__ = [
    "CXoneError",
    "Conversation",
    "DeliveryStatus",
    "Effect",
    "Engine",
    "FailedMessage",
    "GraphError",
    "InboundMessage",
    "InvalidAddress",
    "InvalidMessage",
    "KeyReused",
    "LogError",
    "LoggedEvent",
    "Message",
    "OptedOut",
    "Problem",
    "Receipt",
    "Registry",
    "Routing",
    "Settings",
    "SettingsError",
    "SmsFsmError",
    "StateGraph",
    "StoreUnavailable",
    "TransitionRefused",
    "UnknownConversation",
    "UnknownEffect",
    "WebhookReply",
]

# These bring a database and HTTP, which checks, pictures and replay of a graph do without.
if TYPE_CHECKING:
    from sms_fsm.config import Settings
    from sms_fsm.engine import Engine
    from sms_fsm.webhook import WebhookReply
else:
    _WHEN_ASKED_FOR = {
        "Engine": "sms_fsm.engine",
        "Settings": "sms_fsm.config",
        "WebhookReply": "sms_fsm.webhook",
    }

    def __getattr__(name: str) -> object:
        if name not in _WHEN_ASKED_FOR:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_WHEN_ASKED_FOR[name]), name)
