"""Pages that only look: conversations, one of them, dead letters, carriers, graphs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sms_fsm.messages import check_optional
from sms_fsm.web.page.desk import DeepPageRoute, Desk, PageRoute
from sms_fsm.web.page.listing import MOST_SHOWN, PAGE, in_state, looks, state_counts, stuck_first
from sms_fsm.web.page.pictures import graph_picture
from sms_fsm.web.page.story import facts_of, kind_of, mark_of, story_of

Number = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
"""Of an event within its conversation."""


def looking(desk: Desk) -> APIRouter:
    """Everything that GET gives to those who are logged in."""
    router = APIRouter(route_class=PageRoute)
    deeper = APIRouter(route_class=DeepPageRoute)
    _many(router, desk)
    _figures(router, desk)
    _one(deeper, desk)
    router.include_router(deeper)
    return router


def _many(router: APIRouter, desk: Desk) -> None:
    engine = desk.engine

    @router.get("/", name="sms_fsm.page.home")
    def home(request: Request, state: str | None = None, after: str | None = None) -> Response:
        desk.operator(request)
        board, graph = engine.board, engine.graph
        check_optional(state or None, "state")
        page = in_state(board, state, after) if state else stuck_first(board, graph, after)
        return desk.page(
            request,
            "conversations.html",
            page=page,
            state=state,
            after=after,
            states=state_counts(board, graph),
            looks=looks(graph),
            most=MOST_SHOWN,
            backlog=board.backlog(engine.now(), MOST_SHOWN),
        )

    @router.get("/dead-letters", name="sms_fsm.page.dead_letters")
    def dead_letters(request: Request, after: str | None = None) -> Response:
        desk.operator(request)
        found = engine.board.dead(check_optional(after, "after"), PAGE + 1)
        return desk.page(
            request,
            "dead_letters.html",
            effects=found[:PAGE],
            following=found[PAGE - 1].id if len(found) > PAGE else None,
            after=after,
        )


def _figures(router: APIRouter, desk: Desk) -> None:
    engine = desk.engine

    @router.get("/carriers", name="sms_fsm.page.carriers")
    def carriers(request: Request) -> Response:
        desk.operator(request)
        return desk.page(request, "carriers.html", carriers=engine.carriers())

    @router.get("/graphs", name="sms_fsm.page.graphs")
    def graphs(request: Request) -> Response:
        desk.operator(request)
        versions = engine.board.graphs()
        running = engine.board.running_on([version.behaviour_hash for version in versions])
        return desk.page(
            request,
            "graphs.html",
            versions=versions,
            running=running,
            present=engine.graph,
            picture=graph_picture(engine.graph),
        )


def _one(router: APIRouter, desk: Desk) -> None:
    engine = desk.engine

    def shown(request: Request, template: str, identity: str, before: int | None) -> Response:
        story = story_of(engine, identity, before)
        return desk.page(
            request, template, story=story, before=before, kind_of=kind_of, facts_of=facts_of
        )

    @router.get("/c/{identity}", name="sms_fsm.page.conversation")
    def conversation(request: Request, identity: str, before: Number = None) -> Response:
        desk.operator(request)
        return shown(request, "conversation.html", identity, before)

    @router.get("/live/{identity}", name="sms_fsm.page.live")
    def live(request: Request, identity: str, seen: str = "") -> Response:
        """The part of a conversation's page that changes; 204 if nothing did."""
        desk.operator(request)
        if mark_of(engine, identity) == seen:
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        return shown(request, "_story.html", identity, None)
