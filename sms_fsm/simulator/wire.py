"""Plain values between the HTTP server and the platform: a call, an answer, a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sms_fsm.simulator.records import NO_CHANGES, Changes


@dataclass(frozen=True, slots=True)
class Call:
    """One request, decoded as far as HTTP goes. ``query`` is decoded form-wise: "+" is a space."""

    operation: str
    conversation_id: str | None = None
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and what it changes. ``body``: JSON, or bytes that are sent as they are."""

    status: int
    body: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    changes: Changes = NO_CHANGES
    violation: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    client_reference: str | None = None


class Refusal(Exception):
    """The platform says no: an HTTP status with the wire's error code and a clear message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


def refused(operation: str, status: int, code: str, message: str) -> Answer:
    """An error answer in the shape of the operation: RFC 6749 for tokens, the wire's else."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004 - HTTP
    if operation == "issueToken":
        return Answer(status, {"error": code, "error_description": message}, headers)
    return Answer(status, {"error": {"code": code, "message": message}}, headers)


def parse_time(text: str) -> datetime:
    """A moment as the wire writes it."""
    return datetime.fromisoformat(text)
