"""The ways in which a platform answers a call, or does not."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

from sms_fsm.errors import CXoneError


class Answer(Enum):
    """What becomes of one call.

    Of a call that is retried by itself, such as a 401 after the token was renewed, it is what the
    engine gets in the end.
    """

    OK = "ok"
    """It is applied and says so."""
    UNAUTHORIZED = "401"
    """No token is good enough: not applied, and tried again."""
    GONE = "404"
    """There is no such conversation."""
    ARCHIVED = "409 archived"
    """The conversation sleeps: it must be reactivated first."""
    CLOSED = "409 closed"
    """The conversation is closed for good."""
    LIMITED = "429"
    """Too many calls: not applied, and tried again."""
    BROKEN = "5xx"
    """The server failed before it did anything, which the caller cannot know."""
    TIME_OUT = "time-out"
    """No answer came, and nothing was applied, which the caller cannot know."""
    LOST = "time-out, applied"
    """No answer came, but the call was applied."""
    FORBIDDEN = "403"
    """It can never succeed."""

    @property
    def applied(self) -> bool:
        """Whether the platform does what it was asked for."""
        return self in (Answer.OK, Answer.LOST)

    def error(self, operation: str, *, creates: bool) -> CXoneError:
        """What the caller gets in place of a result.

        Args:
            operation: the operationId of the wire contract, such as ``postMessage``.
            creates: a lost answer leaves the caller in doubt; other calls are simply repeated.
        """
        status, code = _MEANINGS[self]
        lost = self in (Answer.BROKEN, Answer.TIME_OUT, Answer.LOST)
        return CXoneError(
            operation,
            status=status,
            code=code,
            retryable=lost or self in (Answer.UNAUTHORIZED, Answer.LIMITED),
            ambiguous=creates and lost,
        )


_MEANINGS: dict[Answer, tuple[int | None, str]] = {
    Answer.UNAUTHORIZED: (HTTPStatus.UNAUTHORIZED, "unauthorized"),
    Answer.FORBIDDEN: (HTTPStatus.FORBIDDEN, "insufficient_scope"),
    Answer.GONE: (HTTPStatus.NOT_FOUND, "not_found"),
    Answer.ARCHIVED: (HTTPStatus.CONFLICT, "conversation_archived"),
    Answer.CLOSED: (HTTPStatus.CONFLICT, "conversation_closed"),
    Answer.LIMITED: (HTTPStatus.TOO_MANY_REQUESTS, "rate_limited"),
    Answer.BROKEN: (HTTPStatus.SERVICE_UNAVAILABLE, "http_503"),
    Answer.TIME_OUT: (None, "timeout"),
    Answer.LOST: (None, "timeout"),
}
