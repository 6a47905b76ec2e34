"""The simulator holds to the wire contract: every operation, its answers and its refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sms_fsm.simulator import Simulator, gsm

from .wire_client import (
    CUSTOMER,
    WIRE_FILE,
    Client,
    MovableClock,
    Wire,
    new_conversation,
    new_message,
)


def test_created_conversation_comes_back_as_posted(client: Client) -> None:
    conversation_id = client.open()
    conversation = client.call("getConversation", conversation_id).json()
    posted = new_conversation()
    assert conversation["routing"] == posted["routing"]
    assert conversation["participants"][0].items() >= posted["participants"][0].items()
    assert (conversation["status"], conversation["archived"]) == ("active", False)


def test_every_creation_creates_one_more(client: Client) -> None:
    assert client.open() != client.open()
    assert [c["conversationId"] for c in client.find()] == ["conv-00000001", "conv-00000002"]


def test_look_up_matches_address_and_status_only(client: Client) -> None:
    there = client.open()
    client.open("+15550000002", "c:2")
    client.call("updateConversation", there, json={"status": "closed"})
    assert [c["conversationId"] for c in client.find()] == [there]
    assert [c["conversationId"] for c in client.find(status="closed")] == [there]
    assert client.find(status="active") == []


def test_bare_plus_in_the_query_matches_nothing_and_is_noted(
    sim: Simulator, client: Client
) -> None:
    client.open()
    url = f"{sim.url}/api/v2/conversations?channel_type=sms&participant_address={CUSTOMER}"
    bearer = {"Authorization": f"Bearer {client.token}"}
    assert client.session.get(url, headers=bearer, timeout=5).json() == []
    assert client.session.get(url.replace("+", "%2B"), headers=bearer, timeout=5).json() != []
    assert sim.judge().violations == ("findConversations: bare_plus",)


@pytest.mark.parametrize(
    "params",
    [
        {"participant_address": CUSTOMER},
        {"channel_type": "chat", "participant_address": CUSTOMER},
        {"channel_type": "sms"},
        {"channel_type": "sms", "participant_address": CUSTOMER, "status": "open"},
    ],
)
def test_look_up_with_bad_parameters_is_refused(client: Client, params: dict[str, str]) -> None:
    assert client.call("findConversations", params=params).status_code == 400


def test_unknown_conversation_is_not_found(client: Client) -> None:
    bodies = {
        "updateConversation": {},
        "updateRouting": {},
        "addParticipant": {"role": "agent"},
        "postMessage": new_message(),
    }
    for operation in (*bodies, "getConversation", "listParticipants", "listMessages"):
        answer = client.call(operation, "conv-none", json=bodies.get(operation))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    answer = client.call("listDeliveryStatus", params={"conversation_id": "conv-none"})
    assert answer.status_code == 404


def test_unknown_path_or_method_is_not_found(sim: Simulator, client: Client) -> None:
    assert client.session.get(f"{sim.url}/api/v2/nothing", timeout=5).status_code == 404
    assert client.session.delete(f"{sim.url}/api/v2/conversations", timeout=5).status_code == 404


def test_routing_update_keeps_what_it_does_not_name(client: Client) -> None:
    conversation_id = client.open()
    update = {"queue_id": "queue_billing", "transfer_type": "warm"}
    routing = client.call("updateRouting", conversation_id, json=update).json()["routing"]
    assert routing == new_conversation()["routing"] | update


def test_adding_an_agent_leaves_the_others(client: Client) -> None:
    conversation_id = client.open()
    agent = {"participant_id": "agent-1", "role": "agent", "address_type": "agent"}
    assert client.call("addParticipant", conversation_id, json=agent).json() == agent
    roles = [p["role"] for p in client.call("listParticipants", conversation_id).json()]
    assert roles == ["customer", "agent"]


@pytest.mark.parametrize("wrap", [list, lambda items: {"participants": items}])
def test_replacing_participants_orphans_the_conversation(
    sim: Simulator, client: Client, wrap: Callable[[list[Any]], Any]
) -> None:
    conversation_id = client.open()
    new = wrap([{"participant_id": "agent-2", "role": "agent"}])
    assert client.call("replaceParticipants", conversation_id, json=new).status_code == 200
    orphan = client.call("getConversation", conversation_id).json()
    assert orphan["routing"] == {}
    assert [p["role"] for p in orphan["participants"]] == ["agent"]
    assert sim.judge().violations == ("replaceParticipants: participants_replaced",)


def test_message_and_metadata_come_back_as_posted(client: Client) -> None:
    conversation_id = client.open()
    body = new_message("Grüße", encoding="utf8", participant_id="agent-1")
    body["metadata"] |= {"internal_note": False, "mine": {"deep": [1, None]}}
    client.wire.check_schema("NewMessage", body)
    posted = client.call("postMessage", conversation_id, json=body).json()
    assert posted.items() >= body.items()
    assert client.call("listMessages", conversation_id).json() == [posted]


def test_messages_are_listed_oldest_first_and_after_one(client: Client) -> None:
    conversation_id = client.open()
    ids = [client.post(conversation_id, f"text {n}").json()["message_id"] for n in range(3)]
    listed = client.call("listMessages", conversation_id).json()
    assert [m["message_id"] for m in listed] == ids
    later = client.call("listMessages", conversation_id, params={"after": ids[0]}).json()
    assert [m["message_id"] for m in later] == ids[1:]
    unknown = client.call("listMessages", conversation_id, params={"after": "msg-none"})
    assert unknown.status_code == 400


def test_unknown_request_fields_are_ignored(client: Client) -> None:
    conversation_id = client.open(surprise={"a": 1})
    assert "surprise" not in client.post(conversation_id, surprise=1).json()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"direction": "sideways"}, "direction"),
        ({"type": "image"}, "type"),
        ({"content": {}}, "content.text"),
        ({"content": {"text": 5}}, "content.text"),
        ({"content": {"text": None}}, "content.text"),
        ({"encoding": "latin1"}, "encoding"),
        ({"metadata": {"internal_note": "no"}}, "metadata.internal_note"),
        ({"metadata": {"client_reference": 7}}, "metadata.client_reference"),
        ({"participant_id": None}, "participant_id"),
    ],
)
def test_bad_message_is_refused_with_the_field(
    client: Client, change: dict[str, Any], field: str
) -> None:
    conversation_id = client.open()
    answer = client.call("postMessage", conversation_id, json=new_message() | change)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(f"{field}: ")
    assert client.call("listMessages", conversation_id).json() == []


@pytest.mark.parametrize(
    "change",
    [
        {"channel_type": "chat"},
        {"direction": None},
        {"participants": []},
        {"participants": [{"address": CUSTOMER}]},
        {"participants": [{"role": "customer", "properties": []}]},
        {"routing": {"strategy": "any"}},
        {"routing": {"priority": True}},
        {"routing": {"skills": "sms"}},
        {"status": "new"},
    ],
)
def test_bad_conversation_is_refused(client: Client, change: dict[str, Any]) -> None:
    body = new_conversation() | change
    assert client.call("createConversation", json=body).status_code == 400
    assert client.find() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"direction": "\\ud83d"}'])
def test_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    answer = client.raw("createConversation", data=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_body_without_its_media_type_is_refused(client: Client) -> None:
    assert client.raw("createConversation", data=b"{}").status_code == 400


def test_body_over_a_mebibyte_is_refused(client: Client) -> None:
    connection = HTTPConnection("127.0.0.1", urlsplit(client.url).port, timeout=5)
    with closing(connection):
        connection.putrequest("POST", "/api/v2/conversations")
        connection.putheader("Content-Length", str((1 << 20) + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_archived_conversation_takes_nothing_until_reactivated(
    sim: Simulator, client: Client
) -> None:
    conversation_id = client.open()
    sim.archive(conversation_id)
    assert client.post(conversation_id).json()["error"]["code"] == "conversation_archived"
    refused = client.call("updateRouting", conversation_id, json={"queue_id": "other"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conversation_archived")
    reactivation = {
        "status": "active",
        "archived": False,
        "routing": {"refresh_carrier_route": True},
    }
    back = client.call("updateConversation", conversation_id, json=reactivation).json()
    assert (back["status"], back["archived"]) == ("active", False)
    assert back["routing"] == new_conversation()["routing"]
    assert client.post(conversation_id).status_code == 201


@pytest.mark.parametrize("half", [{"status": "active"}, {"archived": False}])
def test_half_a_reactivation_leaves_it_archived(
    sim: Simulator, client: Client, half: dict[str, Any]
) -> None:
    conversation_id = client.open()
    sim.archive(conversation_id)
    assert client.call("updateConversation", conversation_id, json=half).status_code == 200
    assert client.post(conversation_id).status_code == 409


def test_closed_conversation_takes_nothing_and_stays_closed(sim: Simulator, client: Client) -> None:
    conversation_id = client.open()
    sim.close(conversation_id)
    reactivation = {"status": "active", "archived": False}
    for answer in (
        client.post(conversation_id),
        client.call("updateConversation", conversation_id, json=reactivation),
        client.call("updateRouting", conversation_id, json={}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conversation_closed")


def test_vanished_conversation_is_not_found_and_not_listed(sim: Simulator, client: Client) -> None:
    conversation_id = client.open()
    sim.vanish(conversation_id)
    assert client.post(conversation_id).status_code == 404
    assert client.find() == []


def test_conversation_of_the_platform_can_be_adopted(sim: Simulator, client: Client) -> None:
    there = sim.open_conversation(CUSTOMER, routing={"queue_id": "q"}, archived=True)
    [found] = client.find()
    assert (found["conversationId"], found["archived"]) == (there, True)
    assert client.find(status="active") == []


def test_undeclared_text_loses_what_gsm_does_not_have(sim: Simulator, client: Client) -> None:
    conversation_id = client.open()
    assert client.post(conversation_id, "Hi 🐱!").json()["content"]["text"] == "Hi !"
    assert client.post(conversation_id, "x" * 161).json()["content"]["text"] == "x" * 160
    assert client.post(conversation_id, "€" * 81).json()["content"]["text"] == "€" * 80
    assert sim.judge().violations == ("postMessage: truncated",) * 3


def test_declared_text_keeps_everything(sim: Simulator, client: Client) -> None:
    conversation_id = client.open()
    for text, encoding in [("Hi 🐱" * 50, "utf8"), ("x" * 500, "gsm7"), ("x" * 160, None)]:
        declared = {"encoding": encoding} if encoding else {}
        assert client.post(conversation_id, text, **declared).json()["content"]["text"] == text
    assert sim.judge().violations == ()


def test_delivery_records_count_segments(client: Client) -> None:
    conversation_id = client.open()
    texts = [("x" * 160, "gsm7"), ("x" * 161, "gsm7"), ("я" * 70, "utf8"), ("я" * 71, "utf8")]
    for text, encoding in texts:
        client.post(conversation_id, text, encoding=encoding)
    records = client.call("listDeliveryStatus", params={"conversation_id": conversation_id}).json()
    assert [record["segments"] for record in records] == [1, 2, 1, 2]


def test_segments_agree_with_the_reference_texts() -> None:
    lines = (WIRE_FILE.parent / "sms-segments.jsonl").read_text("ascii").splitlines()
    rows = [row for row in map(json.loads, lines) if row["valid"] and not row["disputed"]]
    encodings = {"GSM-7": "gsm7", "UCS-2": "utf8"}
    counted = [gsm.segments(row["text"], encodings[row["encoding"]]) for row in rows]
    assert counted == [row["segments"] for row in rows]
    assert len(rows) > 100


def test_delivery_records_filter_by_direction(client: Client) -> None:
    conversation_id = client.open()
    client.post(conversation_id, "out")
    client.post(conversation_id, "in", direction="inbound")
    for direction in ("inbound", "outbound"):
        query = {"conversation_id": conversation_id, "direction": direction}
        records = client.call("listDeliveryStatus", params=query).json()
        assert [record["direction"] for record in records] == [direction]
    bad = {"conversation_id": conversation_id, "direction": "up"}
    assert client.call("listDeliveryStatus", params=bad).status_code == 400
    assert client.call("listDeliveryStatus").status_code == 400


def test_internal_note_never_reaches_a_carrier(sim: Simulator, client: Client) -> None:
    conversation_id = client.open()
    client.post(conversation_id, "🐱", metadata={"internal_note": True})
    assert client.statuses(conversation_id) == []
    assert sim.deliver() == 0
    assert sim.judge().ok


# --- tokens ---


def test_token_expires_by_the_clock(client: Client, clock: MovableClock) -> None:
    clock.move(3599)
    assert client.find() == []
    clock.move(1)
    answer = client.call("findConversations", params={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_refresh_token_is_good_once(client: Client, wire: Wire) -> None:
    first = client.ask_token().json()["refresh_token"]
    renewed = client.ask_token(grant_type="refresh_token", refresh_token=first)
    wire.check_answer("issueToken", renewed)
    assert renewed.json()["refresh_token"] != first
    spent = client.ask_token(grant_type="refresh_token", refresh_token=first)
    wire.check_answer("issueToken", spent)
    assert (spent.status_code, spent.json()["error"]) == (400, "invalid_grant")


def test_two_refreshes_at_once_spend_the_token_once(client: Client, sim: Simulator) -> None:
    token = client.ask_token().json()["refresh_token"]
    form = {
        "grant_type": "refresh_token",
        "client_id": "demo-client",
        "client_secret": "demo-secret",
        "refresh_token": token,
    }
    statuses: list[int] = []

    def refresh() -> None:
        answer = requests.post(f"{sim.url}/api/v2/oauth/token", data=form, timeout=5)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 7


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"scope": "everything"}, 400, "invalid_scope"),
    ],
)
def test_bad_token_request_is_refused(
    client: Client, wire: Wire, form: dict[str, str], status: int, code: str
) -> None:
    answer = client.ask_token(**form)
    wire.check_answer("issueToken", answer)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_token_request_must_be_a_form(sim: Simulator) -> None:
    answer = requests.post(f"{sim.url}/api/v2/oauth/token", json={}, timeout=5)
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("operation", "scope"),
    [
        ("findConversations", "conversations.read"),
        ("getConversation", "conversations.read"),
        ("createConversation", "conversations.write"),
        ("updateConversation", "conversations.write"),
        ("updateRouting", "conversations.write"),
        ("listParticipants", "participants.read"),
        ("addParticipant", "participants.write"),
        ("replaceParticipants", "participants.write"),
        ("listMessages", "messages.read"),
        ("postMessage", "messages.write"),
        ("listDeliveryStatus", "delivery-status.read"),
    ],
)
def test_each_operation_needs_its_scope(
    client: Client, sim: Simulator, operation: str, scope: str
) -> None:
    every = sim.ledger[0].changes.sessions[0].scopes
    client.log_in(scope=" ".join(every - {scope}))
    answer = client.raw(operation, "conv-none")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope")
    assert scope in answer.json()["error"]["message"]
    client.log_in(scope=scope)
    assert client.raw(operation, "conv-none").status_code in {200, 400, 404}


def test_refresh_keeps_the_scopes(client: Client) -> None:
    first = client.ask_token(scope="messages.read").json()
    renewed = client.ask_token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert renewed.json()["scope"] == "messages.read"


def test_tenant_grants_no_more_scopes_than_it_has(wire: Wire) -> None:
    simulator = Simulator(scopes=["messages.read"])
    with simulator.serve() as url, requests.Session() as session:
        token = Client(url, wire, session).ask_token().json()
    assert token["scope"] == "messages.read"


def test_revoked_token_is_unauthorized_and_can_be_refreshed(sim: Simulator, client: Client) -> None:
    refresh = client.ask_token().json()["refresh_token"]
    sim.revoke_tokens()
    assert client.call("findConversations").status_code == 401
    client.log_in(grant_type="refresh_token", refresh_token=refresh)
    assert client.find() == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nope", "Basic {token}"])
def test_bad_bearer_is_unauthorized(client: Client, header: str) -> None:
    headers = {"Authorization": header.format(token=client.token)}
    answer = client.raw("findConversations", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


# --- the ledger ---


def test_ledger_and_requests_tell_every_call_in_order(
    sim: Simulator, client: Client, clock: MovableClock
) -> None:
    conversation_id = client.open()
    clock.move(5)
    client.post(conversation_id, "hi", reference="r-1")
    names = [name for name, _ in sim.requests]
    assert names == ["issueToken", "findConversations", "createConversation", "postMessage"]
    assert sim.requests[-1][1] - sim.requests[0][1] == clock.now - datetime.fromisoformat(
        "2024-05-12T14:00:00Z"
    )
    entry = sim.ledger[-1]
    assert (entry.conversation_id, entry.message_id, entry.client_reference, entry.status) == (
        conversation_id,
        "msg-00000001",
        "r-1",
        201,
    )
    assert sim.count("postMessage") == 1


def test_ledger_shows_no_text_number_or_token(sim: Simulator, client: Client) -> None:
    client.post(client.open(), "a secret text")
    shown = repr(sim.ledger)
    assert "secret text" not in shown
    assert CUSTOMER not in shown
    assert client.token not in shown


def test_creation_without_look_up_is_a_violation(sim: Simulator, client: Client) -> None:
    client.call("createConversation", json=new_conversation())
    assert sim.judge().violations == ("createConversation: created_without_look_up",)


def test_many_clients_at_once_lose_and_double_nothing(sim: Simulator, client: Client) -> None:
    conversation_id = client.open()

    def post(worker: int) -> None:
        with requests.Session() as session:
            mine = Client(sim.url, client.wire, session, token=client.token)
            for number in range(20):
                mine.post(conversation_id, "hi", reference=f"{worker}/{number}")

    threads = [threading.Thread(target=post, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"{worker}/{number}" for worker in range(8) for number in range(20)}
    assert sim.judge(expected).ok
    assert len(sim.messages(conversation_id)) == 160
