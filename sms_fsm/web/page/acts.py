"""What operators do: log in and out, search, and give dead letters another go."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from sms_fsm.errors import InvalidAddress
from sms_fsm.logs import get_logger
from sms_fsm.messages import check_identifier, check_optional
from sms_fsm.web.answers import Refused
from sms_fsm.web.page.desk import Desk, PageRoute, go_to, html, read_form
from sms_fsm.web.page.listing import Page, looks, searched
from sms_fsm.web.sessions import COOKIE, LIFETIME_SECONDS

_LONGEST_NAME = 60
_OWN_SITE = ("same-origin", "none")

_log = get_logger(__name__)


def acts(desk: Desk) -> APIRouter:
    """Everything that is posted. Each act of a logged-in operator carries the session's mark."""
    router = APIRouter(route_class=PageRoute)
    _coming_and_going(router, desk)
    _searching(router, desk)
    _retrying(router, desk)
    return router


def _coming_and_going(router: APIRouter, desk: Desk) -> None:
    @router.get("/login", name="sms_fsm.page.login")
    def form(request: Request) -> Response:
        _ = desk.service.gate.token
        return html(request, "login.html", name="", said=None)

    @router.post("/login", name="sms_fsm.page.log_in")
    async def log_in(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            raise Refused(403, "this form is not from this page")
        form = await read_form(request)
        name = " ".join(form.get("name", "").split())[:_LONGEST_NAME]
        try:
            desk.service.gate.check(request, form.get("token", "").strip())
        except Refused as error:
            _log.warning("operator.refused", status=error.status)
            answer = html(request, "login.html", error.status, name=name, said=str(error))
            answer.headers.update(error.headers)
            return answer
        if not name or not name.isprintable():
            return html(
                request, "login.html", 400, name="", said="say who you are: the log keeps it"
            )
        _log.info("operator.logged_in", actor=name)
        return _with_cookie(request, desk.sessions.open(name))

    @router.post("/logout", name="sms_fsm.page.log_out")
    async def log_out(request: Request) -> Response:
        operator, _ = await desk.act(request)
        _log.info("operator.logged_out", actor=operator.name)
        answer = go_to(request, "login")
        answer.delete_cookie(COOKIE, path=_base(request))
        return answer


def _with_cookie(request: Request, cookie: str) -> Response:
    answer = go_to(request, "")
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=LIFETIME_SECONDS,
        path=_base(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


def _base(request: Request) -> str:
    """Where the router is mounted: the cookie goes there and nowhere else."""
    return request.url.path.rpartition("/")[0] + "/"


def _searching(router: APIRouter, desk: Desk) -> None:
    @router.post("/search", name="sms_fsm.page.search")
    async def search(request: Request) -> Response:
        """By POST, so that no number gets into an address, a log or a history."""
        _, form = await desk.act(request)
        wanted, after = form.get("wanted", ""), check_optional(form.get("after") or None, "after")
        engine = desk.engine
        try:
            page, said = await run_in_threadpool(searched, engine.board, wanted, after), None
        except InvalidAddress as error:
            page, said = Page([], None), f"this {error.reason}"
        return desk.page(
            request,
            "search.html",
            page=page,
            said=said,
            wanted=wanted,
            looks=looks(engine.graph),
        )


def _retrying(router: APIRouter, desk: Desk) -> None:
    @router.post("/retry", name="sms_fsm.page.retry")
    async def retry(request: Request) -> Response:
        operator, form = await desk.act(request)
        reason = check_identifier(" ".join(form.get("reason", "").split()), "reason")
        effect = form.get("effect", "")
        await run_in_threadpool(desk.engine.retry, effect, actor=operator.name, reason=reason)
        _log.info("operator.retried", actor=operator.name, effect=effect)
        identity = effect.partition(":")[0]
        return go_to(request, f"c/{identity}" if form.get("from") == "c" else "dead-letters")
