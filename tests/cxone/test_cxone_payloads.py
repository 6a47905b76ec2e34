"""Answers of any shape: read as what they say, or refused as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.conversation import Routing
from sms_fsm.cxone import payloads
from sms_fsm.ports import NewMessage
from sms_fsm.sms import Encoding

from .tenant import CONVERSATION, CUSTOMER
from .wire_file import check

READERS: dict[str, Callable[[bytes], Any]] = {
    "conversation": payloads.conversation,
    "conversations": lambda body: payloads.conversations_of(CUSTOMER, body),
    "message": payloads.message,
    "messages": lambda body: payloads.messages_after(None, body),
    "statuses": payloads.statuses,
}
NAMES = ["conversationId", "status", "archived", "participants", "routing", "message_id", "role"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=3),
            part,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", READERS)
@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(name: str, body: bytes) -> None:
    try:
        READERS[name](body)
    except ValueError:
        return


@pytest.mark.parametrize(
    "wrong",
    [
        {"conversationId": ""},
        {"conversationId": 5},
        {"conversationId": None},
        {"status": None},
        {"archived": "no"},
        {"archived": 0},
        {"participants": None},
        {"participants": {}},
        {"participants": [{}]},
        {"routing": []},
        {"routing": {"skills": "sms"}},
        {"routing": {"priority": "1"}},
    ],
    ids=str,
)
def test_a_conversation_with_a_wrong_field_is_refused_alone_and_in_a_list(
    wrong: dict[str, Any],
) -> None:
    broken = CONVERSATION | wrong
    with pytest.raises(ValueError, match="validation error"):
        payloads.conversation(json.dumps(broken).encode())
    with pytest.raises(ValueError, match="validation error"):
        payloads.conversations_of(CUSTOMER, json.dumps([CONVERSATION, broken]).encode())


@pytest.mark.parametrize("name", ["conversationId", "status", "archived", "participants"])
def test_a_conversation_without_what_is_needed_is_refused(name: str) -> None:
    less = {field: value for field, value in CONVERSATION.items() if field != name}
    with pytest.raises(ValueError, match="Field required"):
        payloads.conversation(json.dumps(less).encode())


@given(
    st.builds(
        Routing,
        queue_id=st.none() | st.text(min_size=1),
        agent_id=st.none() | st.text(min_size=1),
        skills=st.lists(st.text()).map(tuple),
        priority=st.none() | st.integers(),
        transfer_type=st.none() | st.sampled_from(["warm", "cold"]),
    )
)
def test_a_routing_follows_the_wire_file_and_comes_back_as_it_was(routing: Routing) -> None:
    request = payloads.routing_request(routing)
    check({"$ref": "#/components/schemas/Routing"}, request)

    answer = json.dumps(CONVERSATION | {"routing": request}).encode()
    assert payloads.conversation(answer).routing == routing


@given(
    st.builds(
        NewMessage,
        text=st.text(),
        encoding=st.sampled_from(Encoding),
        inbound=st.booleans(),
        client_reference=st.text(min_size=1),
        participant_id=st.none() | st.text(),
        on_behalf_of=st.none() | st.text(),
        internal_note=st.booleans(),
    )
)
def test_a_message_follows_the_wire_file_and_comes_back_with_its_reference(new: NewMessage) -> None:
    request = payloads.message_request(new)
    check({"$ref": "#/components/schemas/NewMessage"}, request)

    answer = json.dumps(request | {"message_id": "m", "conversation_id": "c"}).encode()
    assert payloads.message(answer).client_reference == new.client_reference
    assert request["encoding"] == new.encoding.value
    assert ("internal_note" in request["metadata"]) is not new.inbound
