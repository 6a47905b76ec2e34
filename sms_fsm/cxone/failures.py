"""The one place where foreign exceptions become `CXoneError`.

A lost answer leaves a creating call ambiguous: the platform may have applied it. All other calls
can simply be repeated, so nothing about them is ever ambiguous.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import TypeVar

import requests
import urllib3.exceptions
from urllib3.util.ssl_match_hostname import CertificateError

from sms_fsm.cxone.calls import Call, Unsendable
from sms_fsm.cxone.wire import NotConnected
from sms_fsm.errors import CXoneError

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
    (
        (
            ssl.SSLError,
            CertificateError,
            urllib3.exceptions.SSLError,
            requests.exceptions.SSLError,
        ),
        "tls",
    ),
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


def translated(call: Call, act: Callable[[], _T], status: int | None = None) -> _T:
    """What ``act`` gives. ``status`` is the answer's, where it has come to that.

    Raises:
        CXoneError: what went wrong instead. It has no ``__context__`` and its frames no locals
            worth hiding: foreign exceptions hold URLs, headers and bodies.
    """
    try:
        return act()
    except FOREIGN as error:
        failure = _judged(call, error, status)
    raise failure


def _judged(call: Call, error: Exception, status: int | None) -> CXoneError:
    causes = tuple(_causes(error))
    code = next(code for kinds, code in CODES if _any_is(causes, kinds))
    sent = code != "unsendable" and not _any_is(causes, _NOT_SENT)
    return CXoneError(
        call.operation,
        status=status,
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
