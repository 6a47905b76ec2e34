"""Answers as HTML: who asks, what they may, and headers that keep foreign scripts out."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from sms_fsm.errors import SmsFsmError
from sms_fsm.web.answers import Refused, status_of
from sms_fsm.web.bodies import read_body
from sms_fsm.web.page.rendering import render
from sms_fsm.web.service import Service
from sms_fsm.web.sessions import COOKIE, Operator, Sessions

_MOST_FORM_BYTES = 16 * 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class NotLoggedIn(Refused):
    """Somebody without a session wants to see a page."""

    def __init__(self) -> None:
        super().__init__(401, "log in first")


class Desk:
    """What every page needs of the service: who asks, and the frame around the answer."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.engine = service.engine
        self.sessions = Sessions(service.gate)

    def operator(self, request: Request) -> Operator:
        """Who is logged in.

        Raises:
            Refused: nobody; or the page is off.
        """
        found = self.sessions.read(request.cookies.get(COOKIE))
        if found is None:
            raise NotLoggedIn
        return found

    async def act(self, request: Request) -> tuple[Operator, Mapping[str, str]]:
        """Who is logged in and means it, and the fields of their form.

        Raises:
            Refused: nobody is logged in, or the form is not from our page.
        """
        operator = self.operator(request)
        form = await read_form(request)
        given = form.get("csrf", "").encode(errors="replace")
        if not hmac.compare_digest(given, operator.csrf.encode()):
            raise Refused(403, "this form is not from this page, or too old: go back and reload")
        return operator, form

    def page(self, request: Request, template: str, **values: Any) -> Response:
        """A page for whoever is logged in."""
        operator = self.operator(request)
        return html(request, template, operator=operator, now=self.engine.now(), **values)


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a posted form; of several with one name the last."""
    body = await read_body(request, _MOST_FORM_BYTES)
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def html(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A template as an answer. Links in it are relative, wherever the router is mounted."""
    body = render(template, root=root(request), **values)
    return HTMLResponse(body, status, dict(_HEADERS))


def go_to(request: Request, path: str) -> Response:
    """Send the browser to another page of ours."""
    return RedirectResponse(f"{root(request)}{path}" or "./", 303, dict(_HEADERS))


def root(request: Request) -> str:
    """The way from a page to the first one, as a relative link."""
    found: str = request.scope["route"].root
    return found


class PageRoute(APIRoute):
    """A route whose errors become pages; those who are not logged in may do so."""

    root: ClassVar[str] = ""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except NotLoggedIn as error:
                wants_page = request.method == "GET" and "x-live" not in request.headers
                return go_to(request, "login") if wants_page else _failed(request, error)
            except RequestValidationError:
                return _failed(request, Refused(400, "this address is not complete"))
            except SmsFsmError as error:
                return _failed(request, error)

        return answer


class DeepPageRoute(PageRoute):
    """A route one level below the first page, such as ``/c/{id}``."""

    root = "../"


def _failed(request: Request, error: SmsFsmError) -> Response:
    answer = html(request, "failed.html", status_of(error), said=str(error))
    if isinstance(error, Refused):
        answer.headers.update(error.headers)
    return answer
