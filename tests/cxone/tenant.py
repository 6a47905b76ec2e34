"""A tenant to test against: its settings, a clock that only tests move, one of every call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sms_fsm.config import Settings
from sms_fsm.conversation import Routing
from sms_fsm.cxone import CXoneClient
from sms_fsm.ports import NewConversation, NewMessage
from sms_fsm.sms import Encoding

HOST = "https://cxone.test"
API = f"{HOST}/api/v2"
TOKEN_URL = f"{API}/oauth/token"
CUSTOMER, BUSINESS = "+15551234567", "+18885550100"

CONVERSATION: dict[str, Any] = {
    "conversationId": "conv-1",
    "channel_type": "sms",
    "status": "active",
    "archived": False,
    "participants": [
        {
            "role": "customer",
            "address": CUSTOMER,
            "properties": {"business_address": BUSINESS, "client_reference": "ref-1"},
        },
        {"role": "agent", "participant_id": "agent-old"},
        {"role": "agent", "participant_id": "agent-new"},
    ],
    "routing": {"strategy": "agent", "queue_id": "queue-1", "skills": ["sms"], "priority": 2},
}
ROUTING = Routing(queue_id="queue-1", skills=("sms", "billing"), priority=3)
NEW = NewConversation(
    customer=CUSTOMER,
    business=BUSINESS,
    client_reference="ref-1",
    inbound=True,
    routing=ROUTING,
    name="Ann",
    external_customer_id="CUST-1",
    preferred_language="en",
)
POST = NewMessage(
    text="canary body",
    encoding=Encoding.GSM7,
    inbound=False,
    client_reference="ref-2",
    on_behalf_of="a-1",
)

CALLS: dict[str, Callable[[CXoneClient, float], Any]] = {
    "findConversations": lambda client, seconds: client.find_conversations(
        CUSTOMER, "active", timeout_seconds=seconds
    ),
    "createConversation": lambda client, seconds: client.create_conversation(
        NEW, timeout_seconds=seconds
    ),
    "getConversation": lambda client, seconds: client.get_conversation(
        "conv-1", timeout_seconds=seconds
    ),
    "updateConversation": lambda client, seconds: client.reactivate(
        "conv-1", ROUTING, timeout_seconds=seconds
    ),
    "updateRouting": lambda client, seconds: client.update_routing(
        "conv-1", ROUTING, timeout_seconds=seconds
    ),
    "postMessage": lambda client, seconds: client.post_message(
        "conv-1", POST, timeout_seconds=seconds
    ),
    "listMessages": lambda client, seconds: client.list_messages("conv-1", timeout_seconds=seconds),
    "listDeliveryStatus": lambda client, seconds: client.delivery_statuses(
        "conv-1", timeout_seconds=seconds
    ),
}
CREATING = {"createConversation", "postMessage"}


class MovableClock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def settings_for(url: str, **more: Any) -> Settings:
    return Settings(
        cxone_url=url,
        client_id="client-1",
        client_secret="canary-secret",
        queue_id="queue-1",
        **more,
    )
