"""Carrying effects out: claim, call outside of any transaction, record the outcome as events."""

from sms_fsm.dispatch.dispatcher import Dispatcher
from sms_fsm.dispatch.outcome import Surroundings

__all__ = ["Dispatcher", "Surroundings"]
