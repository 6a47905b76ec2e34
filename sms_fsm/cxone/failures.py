"""The one place where foreign exceptions and refusals become `CXoneError`.

A lost answer leaves a creating call ambiguous: the platform may have applied it. All other calls
can simply be repeated, so nothing about them is ever ambiguous.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import requests
import urllib3.exceptions
from pydantic import TypeAdapter, ValidationError

from sms_fsm.cxone.calls import Answer, Call, Kind, Unsendable
from sms_fsm.cxone.wire import NotConnected
from sms_fsm.errors import CXoneError

MOST_RETRY_AFTER_SECONDS = 3600.0

_T = TypeVar("_T")


class TooLarge(urllib3.exceptions.HTTPError):
    """The answer's body is over the cap."""


FOREIGN: tuple[type[Exception], ...] = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)
"""Whatever the libraries below raise for the network's or the data's fault."""

CODES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (
            Unsendable,
            UnicodeEncodeError,
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
            requests.exceptions.URLRequired,
            urllib3.exceptions.LocationValueError,
            urllib3.exceptions.ProxySchemeUnsupported,
        ),
        "unsendable",
    ),
    ((socket.gaierror, urllib3.exceptions.NameResolutionError), "dns"),
    ((ssl.SSLError, urllib3.exceptions.SSLError, requests.exceptions.SSLError), "tls"),
    ((ConnectionRefusedError,), "refused"),
    ((ConnectionError, http.client.RemoteDisconnected), "reset"),
    ((TooLarge,), "too_large"),
    (
        (
            TimeoutError,
            urllib3.exceptions.ReadTimeoutError,
            requests.exceptions.Timeout,
        ),
        "timeout",
    ),
    ((urllib3.exceptions.NewConnectionError,), "refused"),
    ((urllib3.exceptions.TimeoutError,), "timeout"),
    (
        (requests.exceptions.TooManyRedirects, urllib3.exceptions.HostChangedError),
        "redirect",
    ),
    (
        (
            http.client.HTTPException,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
            requests.exceptions.InvalidHeader,
            requests.exceptions.InvalidJSONError,
            requests.exceptions.StreamConsumedError,
            urllib3.exceptions.DecodeError,
            urllib3.exceptions.InvalidHeader,
            urllib3.exceptions.HeaderParsingError,
            urllib3.exceptions.BodyNotHttplibCompatible,
            ValueError,
        ),
        "unreadable",
    ),
    ((NotConnected,), "refused"),
    (
        (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError),
        "reset",
    ),
)
"""What a failure is called, by the first line that any of its causes is on."""

_NOT_SENT = (
    NotConnected,
    requests.exceptions.ConnectTimeout,
    urllib3.exceptions.ConnectTimeoutError,
)

_STATUS_CODES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "invalid_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "insufficient_scope",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limited",
}

_PASSING = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that say nothing against the same call later."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_ERROR_BODY = TypeAdapter(dict[str, Any])


def translated(call: Call, act: Callable[[], _T]) -> _T:
    """What ``act`` gives.

    Raises:
        CXoneError: what went wrong instead. It has no ``__context__``: foreign exceptions hold
            URLs, headers and bodies.
    """
    try:
        return act()
    except FOREIGN as error:
        failure = _judged(call, error)
    raise failure


def _judged(call: Call, error: Exception) -> CXoneError:
    causes = tuple(_causes(error))
    code = next(code for kinds, code in CODES if _any_is(causes, kinds))
    sent = code != "unsendable" and not _any_is(causes, _NOT_SENT)
    return CXoneError(
        call.operation,
        status=None,
        code=code,
        retryable=code != "unsendable",
        ambiguous=call.creates and sent,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it wraps; requests and urllib3 pack causes in several ways."""
    pending = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        packed = (*current.args, getattr(current, "reason", None), current.__cause__)
        pending.extend(cause for cause in packed if isinstance(cause, BaseException))


def _any_is(causes: tuple[BaseException, ...], kinds: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def out_of_time(call: Call) -> CXoneError:
    """The time was up before anything was sent."""
    return CXoneError(call.operation, status=None, code="timeout", retryable=True)


def refusal(call: Call, answer: Answer, now: datetime) -> CXoneError:
    """What an answer other than 2xx means."""
    lost = _is_lost(answer)
    return CXoneError(
        call.operation,
        status=answer.status,
        code=_code_of(answer),
        retryable=lost or answer.kind == Kind.REDIRECTION or answer.status in _PASSING,
        ambiguous=call.creates and lost,
        retry_after_seconds=retry_after_seconds(answer.retry_after, now),
    )


def _is_lost(answer: Answer) -> bool:
    """Whether the platform may have done more than it says."""
    told = answer.kind in {Kind.REDIRECTION, Kind.CLIENT_ERROR}
    return not told or answer.status == HTTPStatus.REQUEST_TIMEOUT


def _code_of(answer: Answer) -> str:
    if answer.kind == Kind.REDIRECTION:
        return "redirect"
    return _named(answer.body) or _STATUS_CODES.get(answer.status) or f"http_{answer.status}"


def _named(body: bytes) -> str | None:
    """The platform's error code (or RFC 6749's): a word, so that no data can pass as one."""
    try:
        error = _ERROR_BODY.validate_json(body).get("error")
    except ValidationError:
        return None
    code = error.get("code") if isinstance(error, dict) else error
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What a Retry-After header (RFC 9110 §10.2.3) asks for, 0 to 3600; None for junk."""
    if header is None:
        return None
    text = header.strip()
    seconds = float(text) if text.isascii() and text.isdigit() else _until(text, now)
    return None if seconds is None else min(max(seconds, 0.0), MOST_RETRY_AFTER_SECONDS)


def _until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
