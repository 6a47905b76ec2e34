"""The JSON API, under a bearer token: `Engine.reply`, `transfer` and looking at conversations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.security import HTTPBearer

from sms_fsm.web.answers import NO_STORE, AnsweringRoute
from sms_fsm.web.documents import (
    ConversationDocument,
    ErrorDocument,
    NewReply,
    NewTransfer,
    PageDocument,
    ReceiptDocument,
)
from sms_fsm.web.service import Service

_ERRORS = {
    400: "a field cannot be used",
    401: "the token is missing or wrong",
    403: "the API is off: the service has no token",
    404: "no conversation has this id",
    409: "refused: by the graph, because the key was used before, or because of an opt-out",
    422: "the body is not as it should be",
    429: "too many wrong tokens",
    503: "the store is away: nothing was stored, call again",
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": said, "model": ErrorDocument} for status, said in _ERRORS.items()
}

Identity = Annotated[str, Path(description="The engine's id of a conversation.")]


def api(service: Service) -> APIRouter:
    """The routes under ``/conversations``."""
    engine = service.engine

    def may_enter(request: Request) -> None:
        service.gate.bearer(request)

    described = HTTPBearer(auto_error=False)
    router = APIRouter(
        route_class=AnsweringRoute,
        tags=["conversations"],
        dependencies=[Depends(described), Depends(may_enter)],
        responses=_RESPONSES,
    )

    @router.get("/conversations", name="sms_fsm.api.list")
    def conversations(
        response: Response,
        state: str | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> PageDocument:
        """A page of conversations without their texts, oldest first."""
        response.headers.update(NO_STORE)
        found = engine.conversations(state=state, after=after, limit=limit)
        following = found[-1].id if len(found) == limit else None
        return PageDocument(items=[ConversationDocument.of(c) for c in found], next=following)

    @router.get("/conversations/{id}", name="sms_fsm.api.show")
    def conversation(response: Response, id: Identity) -> ConversationDocument:  # noqa: A002 - the contract's name
        """One conversation with its texts."""
        response.headers.update(NO_STORE)
        return ConversationDocument.of(engine.conversation(id))

    @router.post("/conversations/{id}/messages", name="sms_fsm.api.reply", status_code=202)
    def reply(id: Identity, body: NewReply) -> ReceiptDocument:  # noqa: A002 - the contract's name
        """Send a text, or leave an internal note; it is stored when this answers."""
        return ReceiptDocument.of(engine.reply(id, **body.model_dump()))

    @router.post("/conversations/{id}/transfer", name="sms_fsm.api.transfer", status_code=202)
    def transfer(id: Identity, body: NewTransfer) -> ReceiptDocument:  # noqa: A002 - the contract's name
        """Hand a conversation over; it is stored when this answers."""
        return ReceiptDocument.of(engine.transfer(id, **body.model_dump()))

    return router
