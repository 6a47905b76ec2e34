"""Secrets, bodies and numbers stay out of logs, reprs, errors and tracebacks."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests.exceptions
import responses
import structlog
from cryptography.fernet import Fernet

from sms_fsm.cxone import CXoneClient, connect
from sms_fsm.errors import CXoneError

from .tenant import API, CALLS, CUSTOMER, HOST, MovableClock, settings_for
from .token_desk import TokenDesk
from .token_store import MemoryTokenStore

KEY = Fernet.generate_key().decode()
SECRETS = ("canary", KEY)
CUSTOMERS = ("15551234567", "canary body")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """All events with their fields, at the lowest level; bare records are in ``caplog``."""
    caplog.set_level(logging.DEBUG)
    handler = logging.StreamHandler(written := io.StringIO())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            structlog.processors.KeyValueRenderer(key_order=["event", "operation"]),
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        )
    )
    logging.getLogger("sms_fsm").addHandler(handler)
    yield written
    logging.getLogger("sms_fsm").removeHandler(handler)


@pytest.fixture
def client(platform: responses.RequestsMock, clock: MovableClock, log: io.StringIO) -> CXoneClient:
    assert platform is not None
    assert log is not None
    settings = settings_for(HOST, token_key=KEY)
    return connect(settings, clock=clock, token_store=MemoryTokenStore())


def everything_of(error: BaseException) -> str:
    """The error as text, with the values of all locals that a debugger would show."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return f"{error!s} {error!r} {vars(error)} {''.join(shown.format())}"


def ours(text: str) -> str:
    """The frames of this project; a test's own locals hold canaries on purpose."""
    frames = text.split('  File "')
    return "".join(frame for frame in frames if "sms_fsm/cxone" in frame.split("\n")[0])


def assert_clean(text: str, *words: str) -> None:
    assert not [word for word in words if word in text], text


FAILURES: dict[str, Any] = {
    "refused": {"status": 400, "json": {"error": {"code": "canary-access", "message": "canary"}}},
    "expired": {"status": 401},
    "broken": {"status": 500, "body": "canary"},
    "unreadable": {"status": 200, "json": {"conversationId": 5, "text": "canary body"}},
    "lost": {"body": requests.exceptions.ConnectionError("canary " + CUSTOMER)},
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("operation", CALLS)
def test_a_failing_call_shows_nothing(
    log: io.StringIO,
    client: CXoneClient,
    platform: responses.RequestsMock,
    operation: str,
    failure: str,
) -> None:
    for path in ("conversations", "conversations/conv-1", "delivery-status"):
        answer_all(platform, f"{API}/{path}", FAILURES[failure])
    for path in ("routing", "messages"):
        answer_all(platform, f"{API}/conversations/conv-1/{path}", FAILURES[failure])

    with pytest.raises(CXoneError) as caught:
        CALLS[operation](client, 5)

    assert_clean(ours(everything_of(caught.value)), *SECRETS)
    assert_clean(f"{caught.value!s} {caught.value!r} {vars(caught.value)}", *SECRETS, *CUSTOMERS)
    assert_clean(log.getvalue(), *SECRETS, *CUSTOMERS)


def answer_all(platform: responses.RequestsMock, url: str, answer: Any) -> None:
    for method in (responses.GET, responses.POST, responses.PUT):
        platform.remove(method, url)
        platform.add(method, url, **answer)


@pytest.mark.parametrize(
    "fault",
    [
        (400, '{"error": "canary-secret"}'),
        (401, '{"error": "invalid_client", "error_description": "canary-secret"}'),
        (500, "canary-secret"),
        (200, '{"access_token": "canary access", "refresh_token": "canary-refresh"}'),
        (200, "canary-access"),
    ],
)
def test_a_failing_renewal_shows_nothing(
    client: CXoneClient,
    desk: TokenDesk,
    log: io.StringIO,
    clock: MovableClock,
    fault: tuple[int, str],
) -> None:
    CALLS["listDeliveryStatus"](client, 5)
    clock.advance(4000)
    desk.faults = [fault, fault]

    with pytest.raises(CXoneError) as caught:
        CALLS["listDeliveryStatus"](client, 5)

    assert_clean(ours(everything_of(caught.value)), *SECRETS)
    assert_clean(f"{caught.value!s} {caught.value!r} {vars(caught.value)}", *SECRETS)
    assert_clean(log.getvalue(), *SECRETS)


def test_good_calls_are_logged_without_people_or_secrets(
    client: CXoneClient, log: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    for call in CALLS.values():
        with suppress(CXoneError):
            call(client, 5)

    text = log.getvalue()
    assert "event='cxone.call' operation='listDeliveryStatus' status=200 seconds=" in text
    assert "event='token.renewed' operation=None expires_in_seconds=3600.0" in text
    assert_clean(text + caplog.text, *SECRETS, *CUSTOMERS)


def test_nothing_that_holds_a_secret_shows_it(client: CXoneClient) -> None:
    CALLS["listDeliveryStatus"](client, 5)
    tokens = client._tokens
    parts = [client, tokens, tokens._held, tokens._issuer, tokens._vault, client._transport]

    assert_clean(" ".join(map(repr, parts)) + " ".join(map(str, parts)), *SECRETS)
