"""How foreign exceptions, refusals and Retry-After headers are read."""

from __future__ import annotations

import http.client
import inspect
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from types import ModuleType
from typing import Any

import pytest
import requests.exceptions
import urllib3.exceptions
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.cxone.calls import Answer, Call
from sms_fsm.cxone.failures import FOREIGN, translated
from sms_fsm.cxone.refusals import refusal, retry_after_seconds
from sms_fsm.errors import CXoneError

CREATE = Call("createConversation", "POST", ("conversations",), creates=True)
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)

RESET = "reset"
EXPECTED = {
    requests.exceptions: {
        "ChunkedEncodingError": "unreadable",
        "ConnectTimeout": "timeout",
        "ConnectionError": RESET,
        "ContentDecodingError": "unreadable",
        "HTTPError": RESET,
        "InvalidHeader": "unreadable",
        "InvalidJSONError": "unreadable",
        "InvalidProxyURL": "unsendable",
        "InvalidSchema": "unsendable",
        "InvalidURL": "unsendable",
        "JSONDecodeError": "unreadable",
        "MissingSchema": "unsendable",
        "ProxyError": RESET,
        "ReadTimeout": "timeout",
        "RequestException": RESET,
        "RetryError": RESET,
        "SSLError": "tls",
        "StreamConsumedError": "unreadable",
        "Timeout": "timeout",
        "TooManyRedirects": "redirect",
        "URLRequired": "unsendable",
        "UnrewindableBodyError": RESET,
    },
    urllib3.exceptions: {
        "BodyNotHttplibCompatible": "unreadable",
        "ClosedPoolError": RESET,
        "ConnectTimeoutError": "timeout",
        "DecodeError": "unreadable",
        "EmptyPoolError": RESET,
        "FullPoolError": RESET,
        "HTTPError": RESET,
        "HeaderParsingError": "unreadable",
        "HostChangedError": "redirect",
        "IncompleteRead": "unreadable",
        "InvalidChunkLength": "unreadable",
        "InvalidHeader": "unreadable",
        "LocationParseError": "unsendable",
        "LocationValueError": "unsendable",
        "MaxRetryError": RESET,
        "NameResolutionError": "dns",
        "NewConnectionError": "refused",
        "PoolError": RESET,
        "ProtocolError": RESET,
        "ProxyError": RESET,
        "ProxySchemeUnknown": "unsendable",
        "ProxySchemeUnsupported": "unsendable",
        "ReadTimeoutError": "timeout",
        "RequestError": RESET,
        "ResponseError": RESET,
        "ResponseNotChunked": "unreadable",
        "SSLError": "tls",
        "TimeoutError": "timeout",
        "TimeoutStateError": RESET,
        "URLSchemeUnknown": "unsendable",
        "UnrewindableBodyError": RESET,
    },
}
NEVER_SENT = {"ConnectTimeout", "ConnectTimeoutError", "NameResolutionError", "NewConnectionError"}


def errors_of(module: ModuleType) -> Iterator[type[Exception]]:
    """The exceptions that a module defines; warnings are none."""
    for _, kind in inspect.getmembers(module, inspect.isclass):
        own = kind.__module__ == module.__name__
        if own and issubclass(kind, Exception) and not issubclass(kind, Warning):
            yield kind


def bare(kind: type[Exception]) -> Exception:
    """An instance without what its constructor asks for."""
    return kind.__new__(kind)


def judged(error: Exception, call: Call = CREATE) -> CXoneError:
    def fail() -> None:
        raise error

    with pytest.raises(CXoneError) as caught:
        translated(call, fail)
    return caught.value


@pytest.mark.parametrize("module", EXPECTED, ids=lambda module: module.__name__)
def test_every_exception_of_the_libraries_is_expected_here(module: ModuleType) -> None:
    assert {kind.__name__ for kind in errors_of(module)} <= EXPECTED[module].keys()


@pytest.mark.parametrize(
    "kind",
    [kind for module in EXPECTED for kind in errors_of(module)],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_every_exception_of_the_libraries_becomes_ours(kind: type[Exception]) -> None:
    error = judged(bare(kind))

    module = next(each for each in EXPECTED if each.__name__ == kind.__module__)
    code = EXPECTED[module][kind.__name__]
    assert error.code == code
    assert error.retryable is (code != "unsendable")
    assert error.ambiguous is (code != "unsendable" and kind.__name__ not in NEVER_SENT)


def all_subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for each in kind.__subclasses__():
        yield from all_subclasses(each)


@pytest.mark.parametrize("base", [OSError, http.client.HTTPException, UnicodeError])
def test_the_standard_librarys_network_errors_are_caught(base: type[BaseException]) -> None:
    assert all(issubclass(kind, FOREIGN) for kind in all_subclasses(base))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (http.client.RemoteDisconnected("closed"), "reset"),
        (http.client.BadStatusLine("x"), "unreadable"),
        (http.client.LineTooLong("header"), "unreadable"),
        (ssl.SSLEOFError(), "tls"),
        (TimeoutError(), "timeout"),
        (socket.gaierror(), "dns"),
        (OSError("unreachable"), "reset"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), "unreadable"),
        (ValueError(), "unreadable"),
    ],
    ids=repr,
)
def test_a_cause_is_found_however_it_is_packed(error: Exception, code: str) -> None:
    aborted = urllib3.exceptions.ProtocolError("Connection aborted.", error)
    exhausted = bare(urllib3.exceptions.MaxRetryError)
    vars(exhausted)["reason"] = aborted
    chained = requests.exceptions.RequestException()
    chained.__cause__ = aborted

    for packed in (error, aborted, requests.exceptions.ConnectionError(exhausted), chained):
        assert judged(packed).code == code


def test_causes_that_go_in_circles_are_walked_once() -> None:
    one, other = OSError(), OSError()
    one.__cause__, other.__cause__ = other, one

    assert judged(one).code == "reset"


def test_a_repeatable_call_is_never_ambiguous() -> None:
    repeatable = Call("updateRouting", "PUT", ("conversations", "x", "routing"))

    assert not judged(requests.exceptions.ReadTimeout(), repeatable).ambiguous


def test_our_error_keeps_nothing_of_the_foreign_one() -> None:
    error = judged(requests.exceptions.ConnectionError("https://host/?participant_address=%2B1555"))

    assert error.__cause__ is None
    assert error.__context__ is None
    assert str(error) == "createConversation: no answer reset"


def test_a_mistake_of_our_own_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        translated(CREATE, lambda: EXPECTED[http.client])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("\u0663", None),
        ("7, 8", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 3600),
        ("Tue, 01 Jan 2030 12:00:30 -0000", 30),
        (format_datetime((NOW + timedelta(seconds=5)).astimezone(timezone(timedelta(hours=9)))), 5),
        ("Tue, 99 Foo 2030 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text())
def test_no_retry_after_header_does_harm(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)

    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize("status", [429, 503, 500, 408, 409, 301])
def test_retry_after_is_handed_on(status: int) -> None:
    assert refusal(CREATE, Answer(status, b"", "12"), NOW).retry_after_seconds == 12


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "conversation_archived", "message": "x"}}, "conversation_archived"),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"error": {"code": "with space"}}, "http_409"),
        ({"error": {"code": "line\nbreak"}}, "http_409"),
        ({"error": {"code": "+15551234567"}}, "http_409"),
        ({"error": {"code": "15551234567"}}, "http_409"),
        ({"error": {"code": "x" * 65}}, "http_409"),
        ({"error": {"code": 409}}, "http_409"),
        ({"error": None}, "http_409"),
        ([], "http_409"),
    ],
)
def test_the_code_is_the_platforms_word_when_it_is_one(body: Any, code: str) -> None:
    assert refusal(CREATE, Answer(409, json.dumps(body).encode()), NOW).code == code


@given(st.integers(100, 999), st.binary() | st.from_regex(r'\{"error": ?.*\}').map(str.encode))
def test_any_refusal_is_judged(status: int, body: bytes) -> None:
    error = refusal(CREATE, Answer(status, body), NOW)

    assert error.status == status
    assert error.code
    assert error.retryable or not error.ambiguous
