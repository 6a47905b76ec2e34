"""What answers other than 2xx mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sms_fsm.cxone.calls import Answer, Call, Kind
from sms_fsm.errors import CXoneError

MOST_RETRY_AFTER_SECONDS = 3600.0

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

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_ERROR_BODY = TypeAdapter(dict[str, Any])


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
