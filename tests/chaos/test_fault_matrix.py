"""The simulator produces every fault of the matrix on request, and counts it by its number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from sms_fsm.simulator import Fault, Sending, Simulator

from .fault_matrix import FORBIDDEN, MATRIX, VANISHING, variants

CUSTOMER, BUSINESS = "+15551234567", "+18885550100"
QUERY = {"channel_type": "sms", "participant_address": CUSTOMER}
BODIES = {
    "createConversation": {
        "channel_type": "sms",
        "direction": "inbound",
        "participants": [{"role": "customer", "address": CUSTOMER}],
    },
    "postMessage": {
        "direction": "outbound",
        "type": "text",
        "content": {"text": f"{FORBIDDEN} {VANISHING}"},
    },
    "updateConversation": {"status": "active"},
    "updateRouting": {"queue_id": "q"},
}
LINES = {
    "findConversations": ("GET", "/conversations"),
    "createConversation": ("POST", "/conversations"),
    "postMessage": ("POST", "/conversations/{}/messages"),
    "getConversation": ("GET", "/conversations/{}"),
    "listMessages": ("GET", "/conversations/{}/messages"),
    "updateConversation": ("PUT", "/conversations/{}"),
    "updateRouting": ("PUT", "/conversations/{}/routing"),
}


class Caller:
    """Calls an operation once, whatever comes of it."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._token = self._issue_token()

    def _issue_token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": "demo-client",
            "client_secret": "demo-secret",
        }
        url = f"{self._simulator.url}/api/v2/oauth/token"
        answer = requests.post(url, data=form, timeout=0.5)
        return str(answer.json()["access_token"])

    def call(self, operation: str) -> None:
        with suppress(requests.RequestException, KeyError):
            self._call(operation)

    def _call(self, operation: str) -> None:
        if operation == "issueToken":
            self._issue_token()
            return
        if operation == "webhook":
            self._delivered_text()
            return
        line = LINES.get(operation, LINES["findConversations"])
        self._send(*line, BODIES.get(operation))

    def _send(self, method: str, path: str, body: object) -> None:
        conversation = self._simulator.open_conversation(CUSTOMER, BUSINESS)
        requests.request(
            method,
            f"{self._simulator.url}/api/v2{path.format(conversation)}",
            params=QUERY if path == "/conversations" and method == "GET" else None,
            json=body,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=0.3,
            stream=True,
            allow_redirects=False,
        ).close()

    def _delivered_text(self) -> None:
        self._send(*LINES["postMessage"], BODIES["postMessage"])
        self._simulator.deliver()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(callback=lambda _body, _headers: 200, webhook_secret="c2VjcmV0" * 4)
    with simulator.serve():
        yield simulator


def test_the_matrix_has_a_row_for_each_of_the_thirty() -> None:
    assert list(MATRIX) == [f"F{number}" for number in range(1, 31)]


FAULTS = [(name, fault) for name in MATRIX for fault in variants(name)]


@pytest.mark.parametrize(
    ("name", "fault"), FAULTS, ids=[f"{name}-{f.operation}-{f.kind}" for name, f in FAULTS]
)
def test_each_fault_strikes_and_is_counted(simulator: Simulator, name: str, fault: Fault) -> None:
    caller = Caller(simulator)
    simulator.fault(fault)
    caller.call(fault.operation)
    assert simulator.fired == {name: 1}


def test_nobody_can_connect_while_connections_are_refused(simulator: Simulator) -> None:
    url = simulator.url
    simulator.refuse(0.01, label="F1")
    assert (simulator.fired, simulator.url) == ({"F1": 1}, url)
    assert requests.get(url, timeout=1).status_code == 404


def test_a_bare_plus_finds_nothing_and_is_judged(simulator: Simulator) -> None:
    caller = Caller(simulator)
    url = f"{simulator.url}/api/v2/conversations?channel_type=sms&participant_address={CUSTOMER}"
    simulator.open_conversation(CUSTOMER, BUSINESS)
    headers = {"Authorization": f"Bearer {caller._token}"}
    assert requests.get(url, headers=headers, timeout=1).json() == []
    assert simulator.judge().violations == ("findConversations: bare_plus",)


def test_what_nobody_takes_waits_for_whoever_comes(simulator: Simulator) -> None:
    simulator.send_webhooks_to(lambda _body, _headers: 503)
    for number in range(20):
        simulator.customer_texts(CUSTOMER, BUSINESS, "hi", f"m{number}")
    simulator.send_webhooks_to(lambda _body, _headers: 200)
    simulator.deliver()
    assert {hook.sending for hook in simulator.webhooks} == {Sending.ACCEPTED}
