"""Every operation against every fault: may it be tried again, and may it have been applied?"""

from __future__ import annotations

import gzip
import json
import socket
from dataclasses import dataclass
from threading import Event

import pytest

from sms_fsm.cxone import CXoneClient, connect
from sms_fsm.errors import CXoneError

from .raw_platform import RawPlatform, Script, answering, raw_platform, resetting, with_tokens
from .tenant import CALLS, CREATING, MovableClock, settings_for


@dataclass(frozen=True)
class Fault:
    script: Script
    status: int | None
    code: str
    retryable: bool
    lost: bool
    """Whether the platform may have applied the call."""


def hanging(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


def closing(connection: socket.socket, _: bytes) -> None:
    connection.close()


def refusing(status: str, code: str) -> Script:
    return answering(json.dumps({"error": {"code": code, "message": "no"}}).encode(), status)


FAULTS = {
    "400": Fault(refusing("400 Bad", "invalid_request"), 400, "invalid_request", False, False),
    "401": Fault(refusing("401 No", "unauthorized"), 401, "unauthorized", True, False),
    "403": Fault(refusing("403 No", "insufficient_scope"), 403, "insufficient_scope", False, False),
    "404": Fault(refusing("404 No", "not_found"), 404, "not_found", False, False),
    "408": Fault(answering(b"", "408 Late"), 408, "timeout", True, True),
    "409 archived": Fault(
        refusing("409 No", "conversation_archived"), 409, "conversation_archived", False, False
    ),
    "409 closed": Fault(
        refusing("409 No", "conversation_closed"), 409, "conversation_closed", False, False
    ),
    "418": Fault(answering(b"teapot", "418 No"), 418, "http_418", False, False),
    "429": Fault(refusing("429 Slow", "rate_limited"), 429, "rate_limited", True, False),
    "500": Fault(refusing("500 Oh", "internal"), 500, "internal", True, True),
    "502": Fault(answering(b"<html>", "502 Oh"), 502, "http_502", True, True),
    "503": Fault(answering(b"", "503 Oh"), 503, "http_503", True, True),
    "504": Fault(answering(b"[]", "504 Oh"), 504, "http_504", True, True),
    "599": Fault(answering(b"", "599 Oh"), 599, "http_599", True, True),
    "600": Fault(answering(b"", "600 What"), 600, "http_600", True, True),
    "302": Fault(answering(b"", "302 Go", "Location: /x"), 302, "redirect", True, False),
    "307": Fault(answering(b"", "307 Go", "Location: http://[::1]/"), 307, "redirect", True, False),
    "not JSON": Fault(answering(b"<html>"), 200, "unreadable", True, True),
    "no body": Fault(answering(b""), 200, "unreadable", True, True),
    "204": Fault(answering(b"", "204 None"), 204, "unreadable", True, True),
    "another shape": Fault(answering(b'"fine"'), 200, "unreadable", True, True),
    "an error in a 200": Fault(
        answering(b'{"error": {"code": "x"}}'), 200, "unreadable", True, True
    ),
    "no id": Fault(answering(b'[{"status": "sent"}]'), 200, "unreadable", True, True),
    "bad UTF-8": Fault(answering(b'{"message_id": "\xff"}'), 200, "unreadable", True, True),
    "deep nesting": Fault(answering(b"[" * 100_000), 200, "unreadable", True, True),
    "an answer that never comes": Fault(hanging, None, "timeout", True, True),
    "reset": Fault(resetting(), None, "reset", True, True),
    "closed": Fault(closing, None, "reset", True, True),
    "reset within the body": Fault(
        resetting(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), None, "reset", True, True
    ),
    "no HTTP": Fault(resetting(b"220 smtp ready\r\n"), None, "unreadable", True, True),
    "a broken chunk": Fault(
        resetting(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        None,
        "unreadable",
        True,
        True,
    ),
    "no gzip": Fault(
        answering(b"{}", "200 OK", "Content-Encoding: gzip"), None, "unreadable", True, True
    ),
    "an encoding that was not offered": Fault(
        answering(gzip.compress(gzip.compress(b"[]")), "200 OK", "Content-Encoding: gzip, gzip"),
        None,
        "unreadable",
        True,
        True,
    ),
}


def client_of(platform: RawPlatform) -> CXoneClient:
    return connect(settings_for(platform.url), clock=MovableClock(), token_store=None)


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_judged_by_what_the_platform_may_have_done(name: str, operation: str) -> None:
    fault = FAULTS[name]
    with raw_platform(with_tokens(fault.script)) as platform, pytest.raises(CXoneError) as caught:
        CALLS[operation](client_of(platform), 0.1 if fault.script is hanging else 5)

    error = caught.value
    assert (error.operation, error.status, error.code) == (operation, fault.status, fault.code)
    assert error.retryable is fault.retryable
    assert error.ambiguous is (fault.lost and operation in CREATING)


@pytest.mark.parametrize("operation", CALLS)
def test_a_refused_connection_was_not_applied(operation: str) -> None:
    with raw_platform(with_tokens(closing)) as platform:
        client = client_of(platform)
        client.scopes_missing()
        platform.close()
        client.close()
        with pytest.raises(CXoneError) as caught:
            CALLS[operation](client, 2)

    error = caught.value
    assert (error.operation, error.status, error.code) == (operation, None, "refused")
    assert (error.retryable, error.ambiguous) == (True, False)


def test_a_message_without_an_id_may_have_been_taken() -> None:
    body = b'{"message_id": "", "conversation_id": "conv-1"}'
    script = with_tokens(answering(body, "201 Made"))
    with raw_platform(script) as platform, pytest.raises(CXoneError) as caught:
        CALLS["postMessage"](client_of(platform), 2)

    assert (caught.value.status, caught.value.code) == (201, "unreadable")
    assert caught.value.ambiguous


def test_nothing_is_sent_twice_by_itself() -> None:
    with raw_platform(with_tokens(resetting())) as platform:
        with pytest.raises(CXoneError):
            CALLS["postMessage"](client_of(platform), 2)

        assert len([each for each in platform.requests if b"/messages" in each]) == 1


def test_a_kept_connection_that_the_platform_dropped_is_replaced_before_sending() -> None:
    good = answering(b"[]")
    closed = Event()

    def once_a_connection(connection: socket.socket, request: bytes) -> None:
        good(connection, request)
        connection.close()
        closed.set()

    with raw_platform(with_tokens(once_a_connection)) as platform:
        client = client_of(platform)
        for _ in range(5):
            assert tuple(CALLS["listMessages"](client, 2)) == ()
            assert closed.wait(5)
            closed.clear()


def test_a_kept_connection_that_dies_under_a_post_leaves_it_ambiguous() -> None:
    """The server read the request on the kept connection and closed without a word."""
    with raw_platform(with_tokens(closing)) as platform:
        client = client_of(platform)
        client.scopes_missing()
        with pytest.raises(CXoneError) as caught:
            CALLS["createConversation"](client, 2)

        assert platform.connections == 1
    assert (caught.value.code, caught.value.ambiguous) == ("reset", True)


def test_connections_are_kept() -> None:
    with raw_platform(with_tokens(answering(b"[]"))) as platform:
        client = client_of(platform)
        for _ in range(5):
            CALLS["listMessages"](client, 2)

        assert platform.connections == 1
