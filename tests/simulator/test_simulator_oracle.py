"""The oracle finds what it is for, the ledger outlives the simulator, and both can be asked for
over HTTP.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from sms_fsm.simulator import Fault, Refusal, Simulator, Verdict

from .wire_client import BUSINESS, CUSTOMER, Client, MovableClock, Wire, new_conversation

OTHER_BUSINESS = "+18885550199"


@pytest.fixture
def conversation(client: Client) -> str:
    return client.open()


# --- judging ---


def test_clean_run_is_ok(sim: Simulator, client: Client, conversation: str) -> None:
    for reference in ("a", "b"):
        client.post(conversation, reference=reference)
    assert sim.judge(["a", "b"]) == Verdict()
    assert sim.judge().ok


def test_reference_posted_twice_is_a_duplicate(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "drop_metadata"))
    for _ in range(2):
        client.post(conversation, reference="a")
    assert sim.judge().duplicate == ("a",)


def test_late_repeat_is_a_duplicate(
    sim: Simulator, client: Client, conversation: str, clock: MovableClock
) -> None:
    sim.fault(Fault("postMessage", "late", late_seconds=5))
    client.post(conversation, reference="a")
    client.post(conversation, reference="a")
    assert sim.judge().ok
    clock.move(5)
    assert sim.judge().duplicate == ("a",)


def test_expected_but_not_posted_is_lost(sim: Simulator, client: Client, conversation: str) -> None:
    client.post(conversation, reference="a")
    assert sim.judge({"a", "b"}).lost == ("b",)


def test_posted_but_not_expected_is_unexpected(
    sim: Simulator, client: Client, conversation: str
) -> None:
    client.post(conversation, reference="a")
    client.post(conversation, metadata={})
    assert sim.judge({"b"}).unexpected == ("a", "msg-00000002")


def test_order_is_judged_within_a_conversation_and_for_sequences_only(
    sim: Simulator, client: Client, conversation: str
) -> None:
    other = client.open("+15550000002", "c:2")
    for where, reference in [(other, "d"), (conversation, "b"), (conversation, "a")]:
        client.post(where, reference=reference)
    assert sim.judge(["a", "b", "d"]).out_of_order == ("a",)
    assert sim.judge({"a", "b", "d"}).out_of_order == ()


def test_two_conversations_of_one_reference_are_a_duplicate(
    sim: Simulator, client: Client, conversation: str
) -> None:
    client.call("updateConversation", conversation, json={"status": "closed"})
    twin = client.open()
    assert sim.judge().duplicate == (f"conversations {conversation} {twin}",)


def test_two_open_conversations_of_one_pair_are_a_duplicate(
    sim: Simulator, client: Client, conversation: str
) -> None:
    second = client.open(reference="c:2")
    assert sim.judge().duplicate == (f"conversations {conversation} {second}",)
    sim.close(conversation)
    assert sim.judge().ok


def test_conversations_of_other_pairs_or_of_the_platform_are_no_duplicates(
    sim: Simulator, client: Client, conversation: str
) -> None:
    body = new_conversation(reference="c:2")
    body["participants"][0]["properties"]["business_address"] = OTHER_BUSINESS
    client.call("createConversation", json=body)
    client.open("+15550000002", "c:3")
    for _ in range(2):
        sim.open_conversation("+15550000003", BUSINESS, client_reference="same")
    assert sim.judge().ok


def test_opening_a_second_beside_one_of_the_platform_is_a_duplicate(
    sim: Simulator, client: Client
) -> None:
    there = sim.open_conversation(CUSTOMER, BUSINESS, archived=True)
    assert sim.judge().ok
    assert sim.judge().duplicate == ()
    second = client.open()
    assert sim.judge().duplicate == (f"conversations {there} {second}",)


# --- judging customers' texts ---


def take_texts(sim: Simulator, *texts: tuple[str, str]) -> None:
    """Texts by carrier id, all accepted."""
    sim.send_webhooks_to(lambda *_: 200)
    for message_id, text in texts:
        sim.customer_texts(CUSTOMER, BUSINESS, text, message_id=message_id)


def test_accepted_text_that_was_not_posted_is_lost(
    sim: Simulator, client: Client, conversation: str
) -> None:
    take_texts(sim, ("m1", "one"), ("m2", "two"), ("m2", "two"))
    client.post(conversation, "one", direction="inbound")
    assert sim.judge() == Verdict(lost=("m2",))


def test_text_that_was_refused_is_not_lost(sim: Simulator) -> None:
    sim.send_webhooks_to(lambda *_: 503)
    sim.customer_texts(CUSTOMER, BUSINESS, "one")
    assert sim.judge().ok


def test_text_posted_once_too_often_is_unexpected(
    sim: Simulator, client: Client, conversation: str
) -> None:
    take_texts(sim, ("m1", "OK"), ("m2", "OK"))
    for number in range(3):
        client.post(conversation, "OK", direction="inbound", reference=str(number))
    assert sim.judge() == Verdict(unexpected=("msg-00000003",))


def test_texts_posted_in_another_order_are_out_of_order(
    sim: Simulator, client: Client, conversation: str
) -> None:
    take_texts(sim, ("m1", "one"), ("m2", "two"))
    for text in ("two", "one"):
        client.post(conversation, text, direction="inbound", reference=text)
    assert sim.judge() == Verdict(out_of_order=("m2",))


def test_order_is_open_for_texts_that_were_under_way_at_once(
    sim: Simulator, client: Client, conversation: str
) -> None:
    answers = iter([503, 200, 200])
    sim.send_webhooks_to(lambda *_: next(answers))
    sim.customer_texts(CUSTOMER, BUSINESS, "one", message_id="m1")
    sim.customer_texts(CUSTOMER, BUSINESS, "two", message_id="m2")
    sim.deliver()
    for text in ("one", "two"):
        client.post(conversation, text, direction="inbound", reference=text)
    assert sim.judge().ok


def test_text_may_be_posted_in_parts(sim: Simulator, client: Client, conversation: str) -> None:
    take_texts(sim, ("m1", "one two"), ("m2", "one"))
    for number, text in enumerate(("one", " two", "one")):
        client.post(conversation, text, direction="inbound", reference=str(number))
    assert sim.judge().ok


def test_same_text_to_two_businesses_is_two_texts(sim: Simulator, client: Client) -> None:
    take_texts(sim, ("m1", "hi"))
    sim.customer_texts(CUSTOMER, OTHER_BUSINESS, "hi", message_id="m2")
    first = client.open()
    body = new_conversation(reference="c:2")
    body["participants"][0]["properties"]["business_address"] = OTHER_BUSINESS
    second = client.call("createConversation", json=body).json()["conversationId"]
    client.post(second, "hi", direction="inbound", reference="2")
    assert sim.judge().lost == ("m1",)
    client.post(first, "hi", direction="inbound", reference="1")
    assert sim.judge().ok


# --- the ledger file ---


def test_state_survives_a_restart(tmp_path: Path, clock: MovableClock, wire: Wire) -> None:
    path = tmp_path / "ledger.jsonl"
    before = Simulator(clock=clock, ledger_path=path)
    with before.serve() as url, requests.Session() as session:
        client = Client(url, wire, session)
        client.log_in()
        conversation = client.open()
        client.post(conversation, "🐱", reference="a", encoding="utf8")
        before.fault(Fault("postMessage", "late", late_seconds=5))
        client.post(conversation, "late", reference="b")
        before.customer_texts(CUSTOMER, BUSINESS, "hi")
        before.deliver(limit=1)
        token = client.token
    after = Simulator(clock=clock, ledger_path=path)
    assert after.ledger == before.ledger
    assert after.fired == {"late": 1}
    with after.serve() as url, requests.Session() as session:
        client = Client(url, wire, session, token=token)
        assert client.statuses(conversation) == ["sent"]
        assert after.deliver() == 1
        clock.move(5)
        client.post(conversation, reference="c")
        assert client.open("+15550000002", "c:2") != conversation
        assert after.judge(["a", "b", "c"]).ok
        assert after.count("postMessage") == 3


def test_torn_last_line_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Simulator(ledger_path=path)
    there = first.open_conversation(CUSTOMER)
    whole = path.read_bytes()
    first.open_conversation(CUSTOMER)
    path.write_bytes(path.read_bytes()[:-10])
    second = Simulator(ledger_path=path)
    assert [c["conversationId"] for c in second.conversations] == [there]
    assert path.read_bytes() == whole


def test_killed_simulator_forgets_nothing_that_it_answered(tmp_path: Path, wire: Wire) -> None:
    path = tmp_path / "ledger.jsonl"
    program = (
        "import sys, time\n"
        "from sms_fsm.simulator import Simulator\n"
        "sim = Simulator(ledger_path=sys.argv[1])\n"
        "print(sim.start(), flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        with requests.Session() as session:
            client = Client(url, wire, session)
            client.log_in()
            conversation = client.open()
            for number in range(20):
                client.post(conversation, reference=str(number))
        process.send_signal(signal.SIGKILL)
    assert Simulator(ledger_path=path).judge([str(number) for number in range(20)]).ok


def test_stopped_simulator_goes_on_where_it_was(sim: Simulator, client: Client) -> None:
    conversation = client.open()
    port = int(sim.url.rpartition(":")[2])
    sim.stop()
    with pytest.raises(requests.ConnectionError):
        client.post(conversation)
    with pytest.raises(RuntimeError):
        _ = sim.url
    sim.start(port)
    assert client.post(conversation).status_code == 201


def test_acting_on_a_conversation_that_is_not_there_is_refused(sim: Simulator) -> None:
    for act in (sim.archive, sim.close, sim.vanish):
        with pytest.raises(Refusal):
            act("conv-none")
    with pytest.raises(Refusal):
        sim.assign("conv-none", "part-1")


# --- administration over HTTP ---


class Admin:
    """The simulator's own routes."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, method: str, name: str, /, **given: Any) -> requests.Response:
        url = f"{self._client.url}/simulator/{name}"
        return self._client.session.request(method, url, json=given or None, timeout=5)

    def result(self, name: str, /, **given: Any) -> Any:
        answer = self("POST", name, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


@pytest.fixture
def admin(client: Client) -> Admin:
    return Admin(client)


def test_everything_can_be_done_over_http(
    sim: Simulator, client: Client, conversation: str, admin: Admin
) -> None:
    texts: list[bytes] = []

    def take(body: bytes, _: dict[str, str]) -> int:
        texts.append(body)
        return 200

    sim.send_webhooks_to(take)
    given = {"from": CUSTOMER, "to": BUSINESS, "text": "hi", "message_id": "m1", "name": "Kim"}
    assert admin.result("customer_texts", **given) == "m1"
    assert json.loads(texts[0])["data"]["name"] == "Kim"
    admin.result("carrier_says", which="hi", statuses=[["failed", "30003"]])
    client.post(conversation, "hi")
    assert admin.result("deliver") == 1
    assert client.statuses(conversation) == ["failed"]
    admin.result("assign", conversation_id=conversation, participant_id="p1")
    admin.result("archive", conversation_id=conversation, notify=False)
    assert client.post(conversation).status_code == 409
    admin.result("close", conversation_id=conversation)
    admin.result("vanish", conversation_id=conversation)
    assert client.post(conversation).status_code == 404
    assert admin.result("open_conversation", address=CUSTOMER) == "conv-00000002"
    admin.result("report_status", message_id="m", conversation_id="c", word="sent")
    admin.result("revoke_tokens")
    assert client.call("findConversations").status_code == 401


def test_faults_can_be_asked_for_and_withdrawn_over_http(
    client: Client, conversation: str, admin: Admin
) -> None:
    fault = {"operation": "postMessage", "kind": "status", "status": 500, "times": 5}
    assert admin("POST", "faults", **fault).status_code == 201
    assert client.post(conversation).status_code == 500
    assert admin("DELETE", "faults").status_code == 204
    assert client.post(conversation).status_code == 201
    assert admin("GET", "fired").json() == {"status": 1}


def test_ledger_and_verdict_can_be_read_over_http(
    sim: Simulator, client: Client, conversation: str, admin: Admin
) -> None:
    client.post(conversation, reference="a")
    entries = admin("GET", "ledger").json()
    assert [entry["operation"] for entry in entries][-1] == "postMessage"
    assert admin("GET", f"ledger?after={len(entries) - 1}").json() == entries[-1:]
    assert admin("GET", "conversations").json() == sim.conversations
    assert not any(admin("GET", "judge").json().values())
    assert admin("POST", "judge", expected_references=["a", "b"]).json()["lost"] == ["b"]


@pytest.mark.parametrize(
    ("method", "name", "given", "status"),
    [
        ("POST", "faults", {"operation": "postMessage", "kind": "nonsense"}, 400),
        ("POST", "faults", {"operation": "postMessage", "kind": "reset", "surprise": 1}, 400),
        ("POST", "archive", {}, 400),
        ("POST", "archive", {"conversation_id": "conv-none"}, 404),
        ("POST", "nothing", {}, 404),
        ("POST", "stop", {}, 404),
        ("GET", "ledger?after=x", {}, 400),
    ],
)
def test_bad_administration_is_refused_with_the_reason(
    admin: Admin, method: str, name: str, given: dict[str, Any], status: int
) -> None:
    answer = admin(method, name, **given)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_administration_takes_json_objects_only(sim: Simulator) -> None:
    for body in (b"[]", b"{"):
        answer = requests.post(f"{sim.url}/simulator/deliver", data=body, timeout=5)
        assert answer.status_code == 400
