"""A CXone simulator that holds to the wire contract: an HTTP server with a ledger, carriers,
webhooks and a seeded fault plan, for tests, the demo and the ``simulator`` command.
"""

from sms_fsm.simulator.carrier import CarrierPlan
from sms_fsm.simulator.faults import Fault
from sms_fsm.simulator.ledger import Entry, Source
from sms_fsm.simulator.oracle import Verdict
from sms_fsm.simulator.records import CarrierStatus, Sending, Webhook
from sms_fsm.simulator.simulator import Simulator
from sms_fsm.simulator.wire import Refusal

__all__ = [
    "CarrierPlan",
    "CarrierStatus",
    "Entry",
    "Fault",
    "Refusal",
    "Sending",
    "Simulator",
    "Source",
    "Verdict",
    "Webhook",
]
