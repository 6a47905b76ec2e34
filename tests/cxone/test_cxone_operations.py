"""Each operation: what goes over the wire, and what is made of the answer."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
import responses

from sms_fsm.conversation import Routing
from sms_fsm.cxone import CXoneClient
from sms_fsm.errors import CXoneError
from sms_fsm.ports import NewConversation, NewMessage, RemoteMessage, RemoteStatus
from sms_fsm.sms import Encoding

from .tenant import API, BUSINESS, CALLS, CONVERSATION, CUSTOMER, NEW, POST, ROUTING, TOKEN_URL
from .wire_file import body_of, operation_of


def sent(platform: responses.RequestsMock) -> Any:
    """The only request that was no token request."""
    (request,) = (call.request for call in platform.calls if call.request.url != TOKEN_URL)
    return request


def test_creation_follows_the_wire_file_and_carries_our_marks(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    platform.post(f"{API}/conversations", json=CONVERSATION, status=201)

    found = client.create_conversation(NEW, timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "createConversation"
    assert request.headers["Authorization"] == "Bearer canary-access-1"
    assert body_of(request) == {
        "channel_type": "sms",
        "initiated_by": "customer",
        "direction": "inbound",
        "participants": [
            {
                "role": "customer",
                "address": CUSTOMER,
                "address_type": "phone",
                "name": "Ann",
                "properties": {
                    "business_address": BUSINESS,
                    "client_reference": "ref-1",
                    "external_customer_id": "CUST-1",
                    "preferred_language": "en",
                },
            }
        ],
        "routing": {
            "strategy": "agent",
            "queue_id": "queue-1",
            "skills": ["sms", "billing"],
            "priority": 3,
        },
        "status": "active",
    }
    assert found.conversation_id == "conv-1"
    assert (found.business_address, found.client_reference) == (BUSINESS, "ref-1")
    assert found.agent_participant_id == "agent-new"
    assert found.routing == Routing(queue_id="queue-1", skills=("sms",), priority=2)
    assert (found.archived, found.closed) == (False, False)


def test_a_conversation_that_the_business_starts_is_outbound_and_by_an_agent(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    platform.post(f"{API}/conversations", json=CONVERSATION, status=201)
    new = NewConversation(
        customer=CUSTOMER,
        business=BUSINESS,
        client_reference="ref-1",
        inbound=False,
        routing=Routing(),
    )

    client.create_conversation(new, timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "createConversation"
    body = body_of(request)
    assert (body["initiated_by"], body["direction"]) == ("agent", "outbound")
    assert body["routing"] == {"strategy": "agent"}
    assert "name" not in body["participants"][0]
    assert body["participants"][0]["properties"].keys() == {"business_address", "client_reference"}


def test_the_look_up_encodes_the_plus_of_the_number(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    platform.get(f"{API}/conversations", json=[CONVERSATION])

    found = client.find_conversations(CUSTOMER, "active", timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "findConversations"
    assert request.url.endswith(
        "?channel_type=sms&participant_address=%2B15551234567&status=active"
    )
    assert [each.conversation_id for each in found] == ["conv-1"]


@pytest.mark.parametrize(
    ("address", "kept"),
    [(CUSTOMER, 1), ("15551234567", 1), ("tel:+1-555-123-4567", 1), ("+15550000000", 0), (None, 1)],
)
def test_a_found_conversation_of_another_number_is_no_match(
    client: CXoneClient, platform: responses.RequestsMock, address: str | None, kept: int
) -> None:
    participant = {"role": "customer", "address": address}
    platform.get(f"{API}/conversations", json=[CONVERSATION | {"participants": [participant]}])

    assert len(client.find_conversations(CUSTOMER, "active", timeout_seconds=1)) == kept


@pytest.mark.parametrize(
    ("said", "archived", "closed"),
    [
        ({"status": "active", "archived": False}, False, False),
        ({"status": "active", "archived": True}, True, False),
        ({"status": "archived", "archived": True}, True, False),
        ({"status": "archived", "archived": False}, True, False),
        ({"status": "closed", "archived": False}, False, True),
        ({"status": "closed", "archived": True}, True, True),
    ],
)
def test_archived_and_closed_are_told_apart(
    client: CXoneClient,
    platform: responses.RequestsMock,
    said: dict[str, Any],
    archived: bool,
    closed: bool,
) -> None:
    platform.get(f"{API}/conversations/conv-1", json=CONVERSATION | said)

    found = client.get_conversation("conv-1", timeout_seconds=1)

    assert operation_of(sent(platform)) == "getConversation"
    assert (found.archived, found.closed) == (archived, closed)


def test_what_others_put_into_free_fields_is_no_reason_to_fail(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    customer = {"role": "customer", "properties": {"business_address": 5, "client_reference": []}}
    agents = [{"role": "agent"}, {"role": "supervisor", "participant_id": "x"}]
    odd = CONVERSATION | {
        "participants": [{"role": "bot"}, customer, *agents],
        "routing": {"queue_id": "", "agent_id": None, "colour": "red"},
        "sentiment": {"score": 1},
    }
    platform.get(f"{API}/conversations/conv-1", json=odd)

    found = client.get_conversation("conv-1", timeout_seconds=1)

    assert (found.business_address, found.client_reference) == (None, None)
    assert found.agent_participant_id is None
    assert not found.routing.assigned


def test_reactivation_asks_for_a_fresh_carrier_route_and_keeps_the_routing(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    platform.put(f"{API}/conversations/conv-1", json=CONVERSATION)

    client.reactivate("conv-1", ROUTING, timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "updateConversation"
    assert body_of(request) == {
        "status": "active",
        "archived": False,
        "routing": {
            "strategy": "agent",
            "queue_id": "queue-1",
            "skills": ["sms", "billing"],
            "priority": 3,
            "refresh_carrier_route": True,
        },
    }


def test_a_transfer_is_a_routing_update_with_what_was_asked_for_alone(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    platform.put(f"{API}/conversations/conv-1/routing", json=CONVERSATION)

    client.update_routing(
        "conv-1", Routing(agent_id="agent-7", transfer_type="warm"), timeout_seconds=1
    )

    request = sent(platform)
    assert operation_of(request) == "updateRouting"
    assert body_of(request) == {
        "strategy": "agent",
        "agent_id": "agent-7",
        "transfer_type": "warm",
    }


def test_a_gsm7_post_declares_gsm7_because_it_would_be_cut_at_160_otherwise(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    message = {"message_id": "msg-1", "conversation_id": "conv-1", "metadata": {}}
    platform.post(f"{API}/conversations/conv-1/messages", json=message, status=201)

    posted = client.post_message("conv-1", POST, timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "postMessage"
    assert body_of(request) == {
        "direction": "outbound",
        "type": "text",
        "content": {"text": "canary body"},
        "encoding": "gsm7",
        "metadata": {
            "client_reference": "ref-2",
            "internal_note": False,
            "sent_on_behalf_of": "a-1",
        },
    }
    assert posted == RemoteMessage("msg-1", None)


def test_any_other_post_is_declared_utf8_and_survives_the_wire(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    message = {"message_id": "msg-1", "metadata": {"client_reference": "ref-3"}}
    platform.post(f"{API}/conversations/conv-1/messages", json=message, status=201)
    text = '\0 \u2028 \U0001f469\u200d\U0001f680 \u4f60\u597d "\\'
    new = NewMessage(
        text=text,
        encoding=Encoding.UTF8,
        inbound=True,
        client_reference="ref-3",
        participant_id="p-1",
    )

    posted = client.post_message("conv-1", new, timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "postMessage"
    assert body_of(request) == {
        "direction": "inbound",
        "participant_id": "p-1",
        "type": "text",
        "content": {"text": text},
        "encoding": "utf8",
        "metadata": {"client_reference": "ref-3"},
    }
    assert posted.client_reference == "ref-3"


def test_messages_are_listed_with_our_references(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    listed: list[dict[str, Any]] = [
        {"message_id": "m1", "metadata": {"client_reference": "r1"}},
        {"message_id": "m2", "metadata": {"client_reference": 7}},
        {"message_id": "m3", "metadata": None},
        {"message_id": "m4"},
    ]
    listing(platform, listed, at_once=len(listed))

    found = list(client.list_messages("conv-1", timeout_seconds=1))

    operations = {operation_of(call.request) for call in platform.calls[1:]}
    assert operations == {"listMessages"}
    assert [(each.message_id, each.client_reference) for each in found] == [
        ("m1", "r1"),
        ("m2", None),
        ("m3", None),
        ("m4", None),
    ]


def listing(
    platform: responses.RequestsMock, listed: list[dict[str, Any]], *, at_once: int
) -> None:
    """A platform that names so many messages in one answer, and goes on where it is asked to."""

    def page(request: Any) -> tuple[int, dict[str, str], str]:
        ids = [message["message_id"] for message in listed]
        after = request.params.get("after")
        start = 0 if after is None else ids.index(after) + 1
        return 200, {}, json.dumps(listed[start : start + at_once])

    platform.add_callback(responses.GET, f"{API}/conversations/conv-1/messages", page)


@pytest.mark.parametrize("at_once", [1, 3, 7, 8])
def test_a_list_that_comes_in_pages_is_read_to_its_end(
    client: CXoneClient, platform: responses.RequestsMock, at_once: int
) -> None:
    listed = [{"message_id": f"m {n}&"} for n in range(7)]
    listing(platform, listed, at_once=at_once)

    found = client.list_messages("conv-1", timeout_seconds=5)

    assert [each.message_id for each in found] == [each["message_id"] for each in listed]


def test_no_more_pages_are_fetched_than_are_taken(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    listing(platform, [{"message_id": f"m{n}"} for n in range(7)], at_once=2)

    found = client.list_messages("conv-1", timeout_seconds=1)

    assert [next(found).message_id for _ in range(4)] == ["m0", "m1", "m2", "m3"]
    assert len(platform.calls) == len([TOKEN_URL]) + 2


def test_an_endless_list_ends_with_the_time(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    numbers = count()
    platform.add_callback(
        responses.GET,
        f"{API}/conversations/conv-1/messages",
        lambda _: (200, {}, json.dumps([{"message_id": f"m{next(numbers)}"}])),
    )

    with pytest.raises(CXoneError) as caught:
        list(client.list_messages("conv-1", timeout_seconds=0.2))

    assert (caught.value.code, caught.value.retryable) == ("timeout", True)


def test_a_list_that_cannot_be_asked_for_its_rest_is_no_whole_list(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    """It may be cut, so that nothing is proved to be absent; what it has is there for all that."""
    platform.get(f"{API}/conversations/conv-1/messages", json=[{"message_id": "m1"}])

    found = client.list_messages("conv-1", timeout_seconds=1)

    assert next(found).message_id == "m1"
    with pytest.raises(CXoneError) as caught:
        next(found)
    assert (caught.value.code, caught.value.retryable) == ("unreadable", True)


def test_pages_that_come_in_any_order_have_each_message_once(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    url = f"{API}/conversations/conv-1/messages"
    for page in (["m3", "m1", "m2"], ["m3"]):
        platform.get(url, json=[{"message_id": one} for one in page])

    found = client.list_messages("conv-1", timeout_seconds=1)

    assert [each.message_id for each in found] == ["m3", "m1", "m2"]


def test_delivery_is_read_from_the_delivery_status_endpoint(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    record = {
        "message_id": "msg-1",
        "conversation_id": "conv-1",
        "direction": "outbound",
        "status": "delivered",
        "status_code": "DELIVRD",
        "carrier_status": "000",
        "timestamp": "2024-05-12T14:32:10Z",
        "segments": 2,
        "error_code": None,
    }
    platform.remove(responses.GET, f"{API}/delivery-status")
    platform.get(f"{API}/delivery-status", json=[record])

    (status,) = client.delivery_statuses("conv-1", timeout_seconds=1)

    request = sent(platform)
    assert operation_of(request) == "listDeliveryStatus"
    assert request.params == {"conversation_id": "conv-1", "direction": "outbound"}
    assert status == RemoteStatus(
        message_id="msg-1",
        conversation_id="conv-1",
        status="delivered",
        direction="outbound",
        status_code="DELIVRD",
        carrier_status="000",
        timestamp=datetime(2024, 5, 12, 14, 32, 10, tzinfo=UTC),
        segments=2,
    )


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2024-05-12T14:32:10", datetime(2024, 5, 12, 14, 32, 10, tzinfo=UTC)),
        ("2024-05-12T16:32:10+02:00", datetime(2024, 5, 12, 14, 32, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),
        ("yesterday", None),
        ("2024-13-40T00:00:00Z", None),
        (None, None),
    ],
)
def test_an_odd_timestamp_does_not_cost_the_carriers_word(
    client: CXoneClient,
    platform: responses.RequestsMock,
    timestamp: str | None,
    moment: datetime | None,
) -> None:
    record = {"message_id": "m", "conversation_id": "c", "status": "sent", "timestamp": timestamp}
    platform.remove(responses.GET, f"{API}/delivery-status")
    platform.get(f"{API}/delivery-status", json=[record])

    (status,) = client.delivery_statuses("c", timeout_seconds=1)

    assert status.timestamp == moment


@pytest.mark.parametrize(
    ("conversation_id", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("../oauth/token", "..%2Foauth%2Ftoken"),
        ("..%2f", "..%252f"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b\n", "a%20b%0A"),
        ("äöü", "%C3%A4%C3%B6%C3%BC"),
    ],
)
def test_no_id_changes_the_path(
    client: CXoneClient, platform: responses.RequestsMock, conversation_id: str, encoded: str
) -> None:
    platform.get(f"{API}/conversations/{encoded}/messages", json=[])

    client.list_messages(conversation_id, timeout_seconds=1)

    assert sent(platform).url == f"{API}/conversations/{encoded}/messages"


@pytest.mark.parametrize("conversation_id", ["", ".", "..", "\ud800"])
def test_an_id_that_can_be_no_path_segment_is_refused_before_anything_is_sent(
    client: CXoneClient, platform: responses.RequestsMock, conversation_id: str
) -> None:
    with pytest.raises(CXoneError) as caught:
        client.post_message(conversation_id, POST, timeout_seconds=1)

    error = caught.value
    assert (error.code, error.retryable, error.ambiguous) == ("unsendable", False, False)
    assert len(platform.calls) == 1, "the token request"


def test_there_is_no_way_to_replace_participants(
    client: CXoneClient, platform: responses.RequestsMock
) -> None:
    """Every public method, called: no PUT goes to …/participants (guide, part 2)."""
    for method in (responses.GET, responses.POST, responses.PUT):
        platform.add(method, f"{API}/conversations", json=CONVERSATION)
        platform.add(method, f"{API}/conversations/conv-1", json=CONVERSATION)
        platform.add(method, f"{API}/conversations/conv-1/routing", json=CONVERSATION)
        platform.add(method, f"{API}/conversations/conv-1/messages", json=[])
        platform.add(method, f"{API}/delivery-status", json=[])
    public = {name for name in dir(client) if not name.startswith("_")}
    assert len(public) == len(CALLS) + len({"scopes_missing", "close"})

    for call in CALLS.values():
        with suppress(CXoneError):
            call(client, 1)

    urls = [str(call.request.url) for call in platform.calls]
    assert len(urls) == len(CALLS) + len({TOKEN_URL})
    assert not [url for url in urls if "participants" in url]
