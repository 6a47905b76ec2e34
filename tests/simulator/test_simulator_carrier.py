"""Carriers say what plan or script has them say, and the webhooks about it hold to the contract."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest
import requests
import standardwebhooks

from sms_fsm.simulator import CarrierPlan, Fault, Simulator

from .wire_client import BUSINESS, CUSTOMER, Client, MovableClock, Wire

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Inbox:
    """A receiver in this process."""

    def __init__(self, sim: Simulator, status: int = 200) -> None:
        self.status = status
        self.received: list[tuple[bytes, dict[str, str]]] = []
        sim.send_webhooks_to(self.take)

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        self.received.append((body, headers))
        return self.status

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in self.received]

    @property
    def statuses(self) -> list[str]:
        return [envelope["data"]["status"] for envelope in self.envelopes]


@pytest.fixture
def inbox(sim: Simulator) -> Inbox:
    return Inbox(sim)


@pytest.fixture
def conversation(client: Client) -> str:
    return client.open()


def test_posting_says_nothing_of_delivery(client: Client, inbox: Inbox, conversation: str) -> None:
    client.post(conversation)
    assert client.statuses(conversation) == ["queued"]
    assert inbox.received == []


def test_message_is_sent_then_delivered(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    message_id = client.post(conversation).json()["message_id"]
    assert sim.deliver() == 2
    assert inbox.statuses == ["sent", "delivered"]
    assert {envelope["data"]["message_id"] for envelope in inbox.envelopes} == {message_id}
    [record] = client.call("listDeliveryStatus", params={"conversation_id": conversation}).json()
    assert (record["status"], record["status_code"], record["carrier_status"]) == (
        "delivered",
        "DELIVRD",
        "000",
    )
    assert sim.deliver() == 0


def test_words_can_become_known_one_by_one(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    client.post(conversation)
    assert sim.deliver(limit=1) == 1
    assert client.statuses(conversation) == ["sent"]
    assert sim.deliver() == 1
    assert inbox.statuses == ["sent", "delivered"]


def test_words_become_known_without_a_receiver(
    sim: Simulator, client: Client, conversation: str
) -> None:
    client.post(conversation)
    assert sim.deliver() == 2
    assert client.statuses(conversation) == ["delivered"]


def test_script_by_text_rules_as_often_as_it_says(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.carrier_says("ticket", ["sent", ("failed", "30003")], times=1)
    sim.carrier_says("ticket", [{"status": "expired", "status_code": "X", "carrier_status": "9"}])
    for text in ("your ticket", "other", "ticket again", "more ticket"):
        client.post(conversation, text)
    sim.deliver()
    assert client.statuses(conversation) == ["failed", "delivered", "expired", "expired"]
    records = client.call("listDeliveryStatus", params={"conversation_id": conversation}).json()
    codes = [(r["error_code"], r["status_code"], r["carrier_status"]) for r in records]
    assert codes[0] == ("30003", "UNDELIV", "30003")
    assert codes[2] == (None, "X", "9")


def test_script_by_number_counts_outbound_messages(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.carrier_says(1, [("failed", "30005")])
    client.post(conversation, "in", direction="inbound")
    for _ in range(3):
        client.post(conversation)
    sim.deliver()
    assert client.statuses(conversation)[1:] == ["delivered", "failed", "delivered"]


def test_contradicting_words_come_in_their_order(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    sim.carrier_says("", [("failed", "30003"), "delivered"])
    client.post(conversation)
    sim.deliver()
    assert inbox.statuses == ["failed", "delivered"]
    assert client.statuses(conversation) == ["delivered"]


def test_callbacks_can_come_many_times_and_at_once(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    sim.carrier_says("", ["sent", "delivered"], copies=10)
    client.post(conversation)
    assert sim.deliver(threads=4) == 20
    assert Counter(inbox.statuses) == {"sent": 10, "delivered": 10}


def test_callbacks_can_come_in_any_order(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    sim.carrier_says("", ["sent", "delivered"], copies=10, reordered=True)
    client.post(conversation)
    sim.deliver()
    assert sorted(inbox.statuses) == ["delivered"] * 10 + ["sent"] * 10
    assert inbox.statuses != ["sent"] * 10 + ["delivered"] * 10


def test_callbacks_can_get_lost_but_the_endpoint_knows(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    sim.carrier_says("", ["sent", "delivered"], dropped=1.0)
    client.post(conversation)
    assert sim.deliver() == 0
    assert inbox.received == []
    assert client.statuses(conversation) == ["delivered"]


def test_callbacks_can_come_before_the_answer(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    sim.carrier_says("", ["sent", "delivered"], before_answer=True)
    sim.fault(Fault("postMessage", "reset"))
    with pytest.raises(requests.ConnectionError):
        client.post(conversation)
    assert inbox.statuses == ["sent", "delivered"]
    client.post(conversation)
    assert inbox.statuses == ["sent", "delivered"] * 2
    assert sim.deliver() == 0


def test_shares_of_a_plan_are_kept_alike_for_the_same_seed(wire: Wire) -> None:
    def run(seed: int) -> list[str]:
        plan = CarrierPlan(failing=0.3, silent=0.2)
        simulator = Simulator(seed=seed, carrier=plan)
        with simulator.serve() as url, requests.Session() as session:
            client = Client(url, wire, session)
            client.log_in()
            conversation = client.open()
            for number in range(100):
                client.post(conversation, reference=f"r:{number}")
            simulator.deliver()
            return client.statuses(conversation)

    first, other = run(1), run(2)
    assert run(1) == first != other
    counts = Counter(first)
    assert 10 < counts["failed"] < 45
    assert 5 < counts["queued"] < 40


# --- the stale link ---


def test_stale_link_takes_messages_and_delivers_nothing(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str
) -> None:
    sim.archive(conversation, notify=False)
    half = {"status": "active", "archived": False}
    client.call("updateConversation", conversation, json=half)
    assert client.post(conversation).status_code == 201
    assert sim.deliver() == 0
    assert client.statuses(conversation) == ["queued"]
    assert inbox.received == []
    assert sim.judge().violations == ("postMessage: stale_link",)


@pytest.mark.parametrize("operation", ["updateConversation", "updateRouting"])
def test_refreshed_link_delivers_again(
    sim: Simulator, client: Client, conversation: str, operation: str
) -> None:
    sim.archive(conversation)
    half = {"status": "active", "archived": False}
    client.call("updateConversation", conversation, json=half)
    order = {"refresh_carrier_route": True}
    whole = {"routing": order} if operation == "updateConversation" else order
    answer = client.call(operation, conversation, json=whole).json()
    assert "refresh_carrier_route" not in answer["routing"], "an order, not a setting"
    client.post(conversation)
    sim.deliver()
    assert client.statuses(conversation) == ["delivered"]
    assert sim.judge().ok


# --- webhooks ---


def test_every_sort_of_webhook_holds_to_the_contract(
    sim: Simulator, client: Client, inbox: Inbox, conversation: str, wire: Wire
) -> None:
    sim.customer_texts(CUSTOMER, BUSINESS, "Grüße 🐱", name="Kim", preferred_language="de")
    client.post(conversation)
    sim.deliver()
    sim.assign(conversation, "part-7", agent_id="agent-7", queue_id="q7")
    sim.archive(conversation)
    sim.report_status("msg-of-nobody", "conv-of-nobody", ("failed", "30003"))
    for envelope in inbox.envelopes:
        wire.check_schema("Envelope", envelope)
    assert [envelope["type"] for envelope in inbox.envelopes] == [
        "message.received",
        "delivery.status",
        "delivery.status",
        "conversation.assigned",
        "conversation.archived",
        "delivery.status",
    ]
    assert inbox.envelopes[0]["data"]["text"] == "Grüße 🐱"
    assert inbox.envelopes[0]["data"]["name"] == "Kim"


def test_assignment_shows_in_the_conversation(
    sim: Simulator, client: Client, conversation: str
) -> None:
    for _ in range(2):
        sim.assign(conversation, "part-7", agent_id="agent-7", queue_id="q7")
    shown = client.call("getConversation", conversation).json()
    assert [p["participant_id"] for p in shown["participants"]][1:] == ["part-7"]
    assert (shown["routing"]["agent_id"], shown["routing"]["queue_id"]) == ("agent-7", "q7")


def test_ids_of_customers_texts_are_never_the_same_by_chance(sim: Simulator) -> None:
    ids = {sim.customer_texts(CUSTOMER, BUSINESS, "hi") for _ in range(20)}
    assert len(ids) == 20
    assert sim.customer_texts(CUSTOMER, BUSINESS, "hi", message_id="m1") == "m1"


def test_webhooks_are_signed_in_real_time(clock: MovableClock) -> None:
    simulator = Simulator(clock=clock, webhook_secret=SECRET)
    inbox = Inbox(simulator)
    simulator.customer_texts(CUSTOMER, BUSINESS, "hi")
    [(body, headers)] = inbox.received
    standardwebhooks.Webhook(SECRET).verify(body, headers)


@pytest.mark.parametrize("kind", ["forge", "outdate"])
def test_bad_signatures_do_not_verify(kind: str) -> None:
    simulator = Simulator(webhook_secret=SECRET)
    inbox = Inbox(simulator)
    simulator.fault(Fault("webhook", kind))
    simulator.customer_texts(CUSTOMER, BUSINESS, "hi")
    bad, right = inbox.received
    verifier = standardwebhooks.Webhook(SECRET)
    verifier.verify(*right)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(*bad)


def test_refused_webhook_is_sent_again_with_the_same_id(sim: Simulator, inbox: Inbox) -> None:
    inbox.status = 503
    sim.customer_texts(CUSTOMER, BUSINESS, "hi")
    inbox.status = 200
    assert (sim.deliver(), sim.deliver()) == (1, 0)
    assert inbox.received[0] == inbox.received[1]


def test_webhook_under_way_is_not_sent_by_another_round(sim: Simulator) -> None:
    rounds: list[int] = []

    def take(*_: object) -> int:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            rounds.append(sim.deliver())
        return 200

    sim.send_webhooks_to(take)
    sim.customer_texts(CUSTOMER, BUSINESS, "hi")
    assert rounds == [0, 0]


def test_callbacks_go_out_by_themselves(wire: Wire) -> None:
    simulator = Simulator(auto_deliver=True)
    inbox = Inbox(simulator, status=503)
    with simulator.serve() as url, requests.Session() as session:
        client = Client(url, wire, session)
        client.log_in()
        client.post(client.open())
        patience = time.monotonic() + 5
        while len(inbox.received) < 2 and time.monotonic() < patience:
            time.sleep(0.01)
        inbox.status = 200
        while simulator.webhooks[-1].sending == "pending" and time.monotonic() < patience:
            time.sleep(0.01)
    assert inbox.statuses[:2] == ["sent", "delivered"]
    assert [webhook.sending for webhook in simulator.webhooks] == ["accepted"] * 2
