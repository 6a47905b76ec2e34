"""Every fault does what it says, to the calls that it is for, as often as asked, and is counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from sms_fsm.simulator import Fault, Simulator

from .wire_client import BUSINESS, CUSTOMER, Client, MovableClock, Wire, new_message

UNANSWERED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def conversation(client: Client) -> str:
    return client.open()


def texts(sim: Simulator, conversation: str) -> list[str]:
    return [message["content"]["text"] for message in sim.messages(conversation)]


# --- which calls, how often ---


def test_fault_strikes_the_next_call_once(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "status"))
    assert [client.post(conversation).status_code for _ in range(3)] == [503, 201, 201]
    assert sim.fired == {"status": 1}


def test_fault_strikes_from_the_nth_call_on_as_often_as_asked(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "status", nth=2, times=2))
    assert [client.post(conversation).status_code for _ in range(5)] == [201, 503, 503, 201, 201]


def test_fault_strikes_by_chance_alike_for_the_same_seed(wire: Wire) -> None:
    def run(seed: int) -> list[int]:
        simulator = Simulator(seed=seed)
        simulator.fault(Fault("findConversations", "status", probability=0.5))
        with simulator.serve() as url, requests.Session() as session:
            client = Client(url, wire, session)
            client.log_in()
            params = {"channel_type": "sms", "participant_address": CUSTOMER}
            return [client.raw("findConversations", params=params).status_code for _ in range(40)]

    first = run(1)
    assert run(1) == first
    assert run(2) != first
    assert 5 < first.count(503) < 35


def test_fault_strikes_calls_with_its_content_only(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "status", status=400, containing="poison", probability=1))
    sim.fault(Fault("*", "status", status=403, containing="+15550009999", probability=1))
    assert client.post(conversation, "fine").status_code == 201
    assert client.post(conversation, "poison").status_code == 400
    params = {"channel_type": "sms", "participant_address": "+15550009999"}
    assert client.call("findConversations", params=params).status_code == 403


def test_cleared_faults_strike_no_more(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("*", "status", probability=1))
    sim.clear_faults()
    assert client.post(conversation).status_code == 201


def test_fault_is_counted_by_its_label(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("postMessage", "reset", label="F3", times=2))
    for _ in range(2):
        with pytest.raises(UNANSWERED):
            client.post(conversation)
    assert sim.fired["F3"] == 2


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("postMessage", "nonsense"),
        ("postMessages", "reset"),
        ("webhook", "reset"),
        ("connect", "slow"),
    ],
)
def test_fault_that_does_not_exist_is_refused(operation: str, kind: str) -> None:
    with pytest.raises(ValueError, match=r"is none of"):
        Fault(operation, kind)


# --- answers with an error ---


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504])
def test_error_is_answered_and_nothing_applied(
    sim: Simulator, client: Client, conversation: str, status: int
) -> None:
    sim.fault(Fault("postMessage", "status", status=status, code="my_code"))
    answer = client.post(conversation)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "my_code")
    assert sim.messages(conversation) == []


def test_error_can_hide_that_the_call_was_applied(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "status", status=502, applied=True))
    assert client.post(conversation, "there").status_code == 502
    assert texts(sim, conversation) == ["there"]
    assert sim.ledger[-1].client_reference == "m:1"


def test_whether_it_was_applied_can_be_left_to_chance(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "status", applied=0.5, times=40))
    assert {client.post(conversation).status_code for _ in range(40)} == {503}
    assert 5 < len(sim.messages(conversation)) < 35


@pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "99999999", 0])
def test_retry_after_is_sent_as_given(
    sim: Simulator, client: Client, conversation: str, value: str | int
) -> None:
    sim.fault(Fault("postMessage", "status", status=429, retry_after=value))
    assert client.post(conversation).headers["retry-after"] == str(value)


def test_retry_after_can_be_absent(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("postMessage", "status", status=429))
    answer = client.post(conversation)
    assert answer.json()["error"]["code"] == "rate_limited"
    assert "retry-after" not in answer.headers


def test_redirect_points_to_another_host(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("postMessage", "redirect", location="http://other.invalid/x"))
    answer = client.raw("postMessage", conversation, json=new_message())
    assert (answer.status_code, answer.headers["location"]) == (307, "http://other.invalid/x")
    assert sim.messages(conversation) == []


# --- no answer, or half of one ---


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("kind", ["reset", "hang", "truncate", "bad_chunks", "slow"])
def test_answer_is_lost_whether_or_not_the_call_was_applied(
    sim: Simulator, client: Client, conversation: str, kind: str, applied: bool
) -> None:
    client.timeout = 0.2
    sim.fault(Fault("postMessage", kind, applied=applied, seconds=1))
    with pytest.raises(UNANSWERED):
        client.post(conversation)
    assert len(sim.messages(conversation)) == applied
    assert client.post(conversation).status_code == 201


def test_reset_is_a_reset_not_a_close(sim: Simulator, client: Client) -> None:
    sim.fault(Fault("findConversations", "reset"))
    with socket.create_connection(("127.0.0.1", int(sim.url.rpartition(":")[2]))) as raw:
        raw.sendall(b"GET /api/v2/conversations HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            raw.recv(1)


def test_new_connection_can_be_reset(sim: Simulator) -> None:
    sim.fault(Fault("connect", "reset"))
    with pytest.raises(requests.ConnectionError):
        requests.get(sim.url, timeout=5)
    assert requests.get(sim.url, timeout=5).status_code == 404
    assert (sim.fired, sim.count("connect")) == ({"reset": 1}, 0)


def test_hanging_answer_ends_when_asked(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("postMessage", "hang", seconds=0.05))
    with pytest.raises(requests.ConnectionError):
        client.post(conversation)


def test_slow_answer_comes_byte_by_byte(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("getConversation", "slow", seconds=0.001))
    began = time.monotonic()
    answer = client.call("getConversation", conversation)
    assert time.monotonic() - began > 0.001 * len(answer.content) * 0.9


@pytest.mark.parametrize("kind", ["hang", "slow"])
def test_stop_does_not_wait_for_stuck_answers(sim: Simulator, client: Client, kind: str) -> None:
    sim.fault(Fault("*", kind, probability=1, seconds=3600))
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(requests.get(f"{sim.url}/api/v2/conversations", timeout=60))
        except requests.RequestException as error:
            answers.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while sim.fired.total() < len(threads):
        time.sleep(0.01)
    sim.stop()
    for thread in threads:
        thread.join(5)
    assert [isinstance(answer, UNANSWERED) for answer in answers] == [True] * 4
    assert not [t for t in threading.enumerate() if "process_request" in t.name]


# --- answers that cannot be read ---


@pytest.mark.parametrize("kind", ["garbage", "empty"])
def test_answer_is_no_json(sim: Simulator, client: Client, conversation: str, kind: str) -> None:
    sim.fault(Fault("postMessage", kind))
    answer = client.raw("postMessage", conversation, json=new_message())
    assert answer.status_code == 201
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert len(sim.messages(conversation)) == 1


@pytest.mark.parametrize(("kind", "shown"), [("no_id", None), ("wrong_id", 12345)])
def test_answer_has_no_usable_id(
    sim: Simulator, client: Client, conversation: str, kind: str, shown: int | None
) -> None:
    sim.fault(Fault("postMessage", kind))
    answer = client.raw("postMessage", conversation, json=new_message())
    assert answer.json().get("message_id") == shown
    assert sim.messages(conversation)[0]["message_id"] == "msg-00000001"


def test_error_comes_as_a_success(sim: Simulator, client: Client, conversation: str) -> None:
    sim.fault(Fault("postMessage", "error_body"))
    answer = client.raw("postMessage", conversation, json=new_message())
    assert (answer.status_code, set(answer.json())) == (200, {"error"})


@pytest.mark.parametrize("kind", ["huge", "gzip_bomb"])
def test_answer_is_as_large_as_asked(
    sim: Simulator, client: Client, conversation: str, kind: str
) -> None:
    sim.fault(Fault("postMessage", kind, size=5_000_000))
    answer = client.raw("postMessage", conversation, json=new_message())
    assert len(answer.content) > 5_000_000
    assert answer.json()["message_id"]


def test_huge_answer_ends_when_the_client_hangs_up(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "huge"))
    answer = client.raw("postMessage", conversation, json=new_message(), stream=True)
    assert next(answer.iter_content(1024))
    answer.close()
    assert client.post(conversation).status_code == 201


# --- late application ---


def test_late_call_takes_effect_by_the_clock(
    sim: Simulator, client: Client, conversation: str, clock: MovableClock
) -> None:
    sim.fault(Fault("postMessage", "late", late_seconds=30))
    assert client.post(conversation, "late").status_code == 504
    clock.move(29)
    client.post(conversation, "meanwhile")
    assert client.call("listMessages", conversation).json()[-1]["content"]["text"] == "meanwhile"
    clock.move(1)
    listed = client.call("listMessages", conversation).json()
    assert [m["content"]["text"] for m in listed] == ["meanwhile", "late"]
    assert sim.count("postMessage") == 2


def test_late_call_takes_effect_once(
    sim: Simulator, client: Client, conversation: str, clock: MovableClock
) -> None:
    sim.fault(Fault("postMessage", "hang", late_seconds=1, seconds=0))
    with pytest.raises(UNANSWERED):
        client.post(conversation)
    for _ in range(3):
        clock.move(5)
        assert len(sim.messages(conversation)) == 1


def test_lateness_is_drawn_within_the_settle_time(clock: MovableClock, wire: Wire) -> None:
    simulator = Simulator(clock=clock, settle_seconds=10)
    with simulator.serve() as url, requests.Session() as session:
        client = Client(url, wire, session)
        client.log_in()
        conversation = client.open()
        simulator.fault(Fault("postMessage", "late", times=20))
        for _ in range(20):
            client.post(conversation)
        clock.move(5)
        halfway = len(simulator.messages(conversation))
        clock.move(5)
        assert 0 < halfway < len(simulator.messages(conversation)) == 20


def test_late_call_can_go_by_the_real_clock(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("postMessage", "late", late_seconds=0.05, real=True))
    client.post(conversation)
    assert sim.messages(conversation) == []
    time.sleep(0.06)
    assert len(sim.messages(conversation)) == 1


def test_late_call_meets_the_conversation_as_it_is_by_then(
    sim: Simulator, client: Client, conversation: str, clock: MovableClock
) -> None:
    sim.fault(Fault("postMessage", "late", late_seconds=5))
    client.post(conversation)
    sim.archive(conversation)
    clock.move(5)
    assert sim.messages(conversation) == []
    assert sim.ledger[-1].status == 409


def test_refused_call_is_not_applied_late(
    sim: Simulator, client: Client, clock: MovableClock
) -> None:
    there = sim.open_conversation(CUSTOMER, archived=True)
    sim.fault(Fault("postMessage", "late", late_seconds=5))
    client.post(there)
    clock.move(10)
    assert not [entry for entry in sim.ledger if entry.source == "late"]


# --- what the platform does just before ---


@pytest.mark.parametrize(
    ("kind", "answered"),
    [
        ("archive", (409, "conversation_archived")),
        ("close", (409, "conversation_closed")),
        ("vanish", (404, "not_found")),
        ("revoke", (401, "unauthorized")),
    ],
)
def test_platform_acts_between_look_and_call(
    sim: Simulator, client: Client, conversation: str, kind: str, answered: tuple[int, str]
) -> None:
    sim.fault(Fault("postMessage", kind))
    answer = client.post(conversation)
    assert (answer.status_code, answer.json()["error"]["code"]) == answered


def test_look_up_can_find_two_open_conversations(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("findConversations", "twin"))
    first, second = client.find()
    assert first["conversationId"] == conversation != second["conversationId"]
    assert client.post(second["conversationId"]).status_code == 201


# --- read models that are behind or wrong ---


@pytest.mark.parametrize("operation", ["findConversations", "listMessages", "listDeliveryStatus"])
def test_list_lags_behind(
    sim: Simulator, client: Client, conversation: str, clock: MovableClock, operation: str
) -> None:
    client.post(conversation)
    sim.fault(Fault(operation, "lag", seconds=3, probability=1))
    query = {"channel_type": "sms", "participant_address": CUSTOMER}
    query |= {"conversation_id": conversation}
    clock.move(2)
    assert client.call(operation, conversation, params=query).json() == []
    clock.move(1)
    assert len(client.call(operation, conversation, params=query).json()) == 1


def test_look_up_can_show_conversations_of_others(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.fault(Fault("findConversations", "unfiltered"))
    assert [c["conversationId"] for c in client.find("+15550000009")] == [conversation]


def test_look_up_can_show_archived_as_active(
    sim: Simulator, client: Client, conversation: str
) -> None:
    sim.archive(conversation)
    sim.fault(Fault("findConversations", "seem_active"))
    assert client.find(status="active")[0]["archived"] is False
    assert client.find(status="active") == []


def test_list_can_come_in_pages_or_any_order(
    sim: Simulator, client: Client, conversation: str
) -> None:
    for number in range(20):
        client.post(conversation, str(number))
    whole = client.call("listMessages", conversation).json()
    sim.fault(Fault("listMessages", "page", size=2))
    sim.fault(Fault("listMessages", "reorder"))
    assert client.call("listMessages", conversation).json() == whole[:2]
    shuffled = client.call("listMessages", conversation).json()
    assert shuffled != whole
    assert sorted(shuffled, key=lambda m: m["message_id"]) == whole


def test_metadata_and_properties_can_get_lost(sim: Simulator, client: Client) -> None:
    sim.fault(Fault("createConversation", "drop_properties"))
    conversation = client.open()
    assert "properties" not in client.find()[0]["participants"][0]
    sim.fault(Fault("postMessage", "drop_metadata"))
    assert "metadata" not in client.post(conversation).json()
    assert "metadata" not in client.call("listMessages", conversation).json()[0]
    assert sim.judge({"m:1"}).ok, "the oracle knows what was posted"


def test_routing_update_can_be_ignored_or_clear_the_routing(
    sim: Simulator, client: Client, conversation: str
) -> None:
    before = client.call("getConversation", conversation).json()
    sim.fault(Fault("updateRouting", "ignore"))
    ignored = client.call("updateRouting", conversation, json={"queue_id": "q2"})
    assert ignored.json() == client.call("getConversation", conversation).json() == before
    sim.fault(Fault("updateRouting", "clear_routing"))
    client.call("updateRouting", conversation, json={"queue_id": "q2"})
    assert client.call("getConversation", conversation).json()["routing"] == {}


# --- the token endpoint ---


@pytest.mark.parametrize(
    ("status", "code"), [(500, "server_error"), (400, "invalid_grant"), (401, "invalid_client")]
)
def test_token_endpoint_refuses_in_its_own_shape(
    sim: Simulator, client: Client, wire: Wire, status: int, code: str
) -> None:
    sim.fault(Fault("issueToken", "status", status=status, code=code))
    answer = client.ask_token()
    assert (answer.status_code, answer.json()["error"]) == (status, code)


@pytest.mark.parametrize("value", [0, -5, 60, "3600", None, 1.5])
def test_expires_in_can_be_odd(sim: Simulator, client: Client, value: Any) -> None:
    sim.fault(Fault("issueToken", "expires_in", value=value))
    assert client.ask_token().json().get("expires_in") == value


def test_token_answer_can_come_without_refresh_token(sim: Simulator, client: Client) -> None:
    sim.fault(Fault("issueToken", "no_refresh_token"))
    assert "refresh_token" not in client.ask_token().json()


@pytest.mark.parametrize("spent", [True, False])
def test_token_answer_can_get_lost_with_the_refresh_token_spent_or_not(
    sim: Simulator, client: Client, spent: bool
) -> None:
    refresh = client.ask_token().json()["refresh_token"]
    sim.fault(Fault("issueToken", "reset", applied=spent))
    with pytest.raises(UNANSWERED):
        client.ask_token(grant_type="refresh_token", refresh_token=refresh)
    again = client.ask_token(grant_type="refresh_token", refresh_token=refresh)
    assert again.status_code == (400 if spent else 200)


# --- webhooks ---

Received = list[tuple[bytes, dict[str, str]]]


@pytest.fixture
def received(sim: Simulator) -> Received:
    """What comes in; everything is accepted."""
    webhooks: Received = []

    def take(body: bytes, headers: dict[str, str]) -> int:
        webhooks.append((body, headers))
        return 200

    sim.send_webhooks_to(take)
    return webhooks


def test_webhook_can_get_lost(sim: Simulator, received: Received) -> None:
    sim.fault(Fault("webhook", "drop"))
    sim.customer_texts(CUSTOMER, BUSINESS, "one")
    sim.customer_texts(CUSTOMER, BUSINESS, "two")
    sim.deliver()
    assert [b"one" in body for body, _ in received] == [False]
    assert [webhook.sending for webhook in sim.webhooks] == ["lost", "accepted"]


@pytest.mark.parametrize(("kind", "times"), [("repeat", 5), ("abort", 2)])
def test_webhook_can_come_several_times(
    sim: Simulator, received: Received, kind: str, times: int
) -> None:
    sim.fault(Fault("webhook", kind, size=5))
    sim.customer_texts(CUSTOMER, BUSINESS, "one")
    assert len(received) == times
    assert len({body for body, _ in received}) == 1


def test_webhook_can_come_as_an_array(sim: Simulator, received: Received) -> None:
    sim.fault(Fault("webhook", "array"))
    sim.customer_texts(CUSTOMER, BUSINESS, "one")
    assert received[0][0].startswith(b"[{")


@pytest.mark.parametrize(
    "kind", ["forge", "outdate", "cut", "inflate", "garble", "deepen", "mistype"]
)
def test_bad_webhook_comes_before_the_right_one(
    sim: Simulator, received: Received, kind: str
) -> None:
    sim.customer_texts(CUSTOMER, BUSINESS, "one", message_id="in-1")
    sim.fault(Fault("webhook", kind))
    sim.customer_texts(CUSTOMER, BUSINESS, "one", message_id="in-2")
    good, bad, right = received
    assert right[0] == good[0].replace(b"in-1", b"in-2")
    assert bad[0] != right[0] or kind in {"forge", "outdate"}
    assert sim.fired[kind] == 1


# --- over HTTP ---


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[int]]]:
    """A webhook receiver over HTTP that answers as its list of statuses says, then 200."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?x=1", statuses
        server.shutdown()
        thread.join()


def test_webhook_over_http_is_tried_again(sim: Simulator, receiver: tuple[str, list[int]]) -> None:
    url, statuses = receiver
    statuses += [503, 400]
    sim.send_webhooks_to(url)
    sim.customer_texts(CUSTOMER, BUSINESS, "hi")
    assert sim.webhooks[0].sending == "pending"
    assert (sim.deliver(), sim.deliver(), sim.deliver()) == (1, 1, 0)
    assert (sim.webhooks[0].sending, sim.webhooks[0].attempts) == ("accepted", 3)


def test_webhook_over_http_survives_hanging_up_early(
    sim: Simulator, receiver: tuple[str, list[int]]
) -> None:
    sim.send_webhooks_to(receiver[0])
    sim.fault(Fault("webhook", "abort"))
    sim.customer_texts(CUSTOMER, BUSINESS, "hi")
    assert sim.webhooks[0].sending == "accepted"


def test_webhook_that_nobody_takes_is_given_up(sim: Simulator) -> None:
    sim.send_webhooks_to("http://127.0.0.1:9/")
    sim.customer_texts(CUSTOMER, BUSINESS, "hi")
    while sim.deliver():
        pass
    assert sim.webhooks[0].sending == "given_up"
