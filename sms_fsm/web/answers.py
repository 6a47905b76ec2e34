"""Errors as answers: every error of sms_fsm has a status, and a body that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from sms_fsm.errors import (
    InvalidMessage,
    KeyReused,
    OptedOut,
    SmsFsmError,
    StoreUnavailable,
    TransitionRefused,
    UnknownConversation,
    UnknownEffect,
)

_STATUSES: Mapping[type[SmsFsmError], int] = {
    UnknownConversation: 404,
    UnknownEffect: 404,
    InvalidMessage: 400,
    KeyReused: 409,
    TransitionRefused: 409,
    OptedOut: 409,
    StoreUnavailable: 503,
}

NO_STORE = {"Cache-Control": "no-store"}
"""What is told of conversations stays out of caches."""


class Refused(SmsFsmError):
    """A request that is not carried out, with the status and headers of the answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(reason)


class AnsweringRoute(APIRoute):
    """A route whose errors become answers, whatever application it is mounted in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return refusal(Refused(422, _problems(error)))
            except SmsFsmError as error:
                return refusal(error)

        return answer


def refusal(error: SmsFsmError) -> Response:
    """The answer to a request that failed."""
    status = status_of(error)
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if status == _STATUSES[StoreUnavailable]:
        headers["Retry-After"] = "1"
    body = {"error": str(error), "code": type(error).__name__}
    return JSONResponse(body, status, headers | NO_STORE)


def status_of(error: SmsFsmError) -> int:
    """The HTTP status that says this error."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)


def _problems(error: RequestValidationError) -> str:
    """Which field is wrong, and how; never its value."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    )
