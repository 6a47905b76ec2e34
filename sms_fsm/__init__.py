"""Keep SMS conversations continuous on NICE CXone: an explicit, durable, replayable machine."""

from sms_fsm.config import Settings
from sms_fsm.conversation import Conversation, Message, Routing
from sms_fsm.effects import Effect
from sms_fsm.engine import Engine
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
from sms_fsm.webhook import WebhookReply

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
