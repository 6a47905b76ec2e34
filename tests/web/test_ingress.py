"""`POST /webhooks/cxone`: 200 only for what is stored, and an answer for everything."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from world import CUSTOMER, World

from sms_fsm.webhook import LARGEST_BODY_BYTES

from .serving import Client, signed, status, text


def _rows(world: World) -> int:
    return len(world.engine.conversations())


def test_a_text_is_stored_before_it_is_answered(service: Client, world: World) -> None:
    answer = service.send(text("m-1"))
    assert answer.status_code == 200
    result = answer.json()["results"][0]
    assert world.engine.conversation(result["conversation"]).customer == CUSTOMER


def test_a_repeated_text_is_200_and_changes_nothing(service: Client, world: World) -> None:
    first, second = service.send(text("m-1")), service.send(text("m-1"))
    assert second.status_code == 200
    assert second.json()["results"][0]["duplicate"] is True
    identity = first.json()["results"][0]["conversation"]
    assert len(world.engine.history(identity)) == 1


def test_an_array_is_taken_in_in_its_order(service: Client, world: World) -> None:
    answer = service.send(*(text(f"m-{n}", f"text {n}") for n in range(5)))
    identity = answer.json()["results"][0]["conversation"]
    texts = [message.text for message in world.engine.conversation(identity).messages]
    assert texts == [f"text {n}" for n in range(5)]


def test_the_good_ones_of_an_array_are_stored_and_the_bad_ones_reported(
    service: Client, world: World
) -> None:
    answer = service.send(
        text("m-1"),
        text("m-2", **{"from": "not a number"}),
        {"type": "message.received"},
        "no object",
        {"type": "message.deleted", "data": {}},
        text("m-3", **{"from": "+15557654321"}),
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert ["error" in result for result in results] == [False, True, True, True, True, False]
    assert _rows(world) == 2


def test_an_array_in_which_all_are_bad_is_400_with_every_reason(
    service: Client, world: World
) -> None:
    answer = service.send({"type": "message.received", "data": {}}, 7)
    assert answer.status_code == 400
    assert len(answer.json()["results"]) == 2
    assert _rows(world) == 0


@pytest.mark.parametrize("field", ["from", "to"])
def test_a_number_that_is_none_is_named_as_the_wire_names_it(service: Client, field: str) -> None:
    envelope = text("m-1")
    envelope["data"][field] = "nobody"
    (result,) = service.send(envelope).json()["results"]
    assert result["error"].startswith(f"{field}: ")
    assert "nobody" not in result["error"]


def test_a_status_and_the_text_before_it_come_in_one_array(service: Client, world: World) -> None:
    identity = world.opened()
    message = world.replied(identity)
    remote = world.conversation(identity).conversation_id
    answer = service.send(
        text("m-2"),
        status(message.message_ids[0], str(remote), "delivered"),
        status(message.message_ids[0], str(remote), "delivered"),
    )
    assert [result["duplicate"] for result in answer.json()["results"]] == [False, False, True]
    assert world.message(identity, message.key).status == "delivered"


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"[]", b"NaN", b'{"a": NaN}', b"\xff"])
def test_what_is_not_json_or_holds_no_envelope_is_400(
    service: Client, world: World, body: bytes
) -> None:
    headers = signed(body) if body != b"\xff" else signed(b"")
    answer = service.post("/webhooks/cxone", data=body, headers=headers)
    assert answer.status_code == (401 if body == b"\xff" else 400)
    assert _rows(world) == 0


def test_deep_nesting_is_400(service: Client) -> None:
    for depth in (17, 5_000, 100_000):
        body = b"[" * depth + b"]" * depth
        answer = service.post("/webhooks/cxone", data=body, headers=signed(body))
        assert answer.status_code == 400


def test_a_body_over_the_limit_is_413_by_its_declared_length(service: Client) -> None:
    body = b"x" * (LARGEST_BODY_BYTES + 1)
    assert service.post("/webhooks/cxone", data=body).status_code == 413


def test_a_chunked_body_over_the_limit_is_413_before_all_of_it_is_read(service: Client) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(2_000):
            sent += 64 * 1024
            yield b"x" * 64 * 1024

    # The server may hang up while we are still sending.
    with suppress(OSError):
        assert service.post("/webhooks/cxone", data=chunks()).status_code == 413
    assert sent < 100 * LARGEST_BODY_BYTES


@pytest.mark.parametrize("declared", ["5", "99999999999", "-1", "nonsense"])
def test_a_length_that_lies_stores_nothing_and_is_answered(
    service: Client, world: World, declared: str
) -> None:
    body = json.dumps(text("m-1")).encode()
    headers = signed(body) | {"content-length": declared}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    answer = _raw(service, f"POST /webhooks/cxone HTTP/1.1\r\nhost: x\r\n{head}\r\n", body)
    assert answer.startswith(b"HTTP/1.1 4")
    assert _rows(world) == 0


def test_a_compressed_body_is_refused_and_not_unpacked(service: Client) -> None:
    body = gzip.compress(b"0" * 50_000_000)
    answer = service.post(
        "/webhooks/cxone", data=body, headers=signed(b"") | {"content-encoding": "gzip"}
    )
    assert answer.status_code == 415


def _raw(service: Client, head: str, body: bytes) -> bytes:
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=15) as connection:
        connection.sendall(head.encode() + body)
        return connection.recv(65_536)
