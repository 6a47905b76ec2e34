"""The webhook route: an answer within two seconds, and 200 only for what is stored."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request, Response

from sms_fsm.web.answers import AnsweringRoute, Refused, refusal
from sms_fsm.web.bodies import read_body
from sms_fsm.web.service import Service
from sms_fsm.webhook import LARGEST_BODY_BYTES, WebhookReply

_AT_ONCE = 16
_SECONDS_TO_STORE = 1.5
"""Leaves half a second of the two for the network and for reading."""

_RESULTS = {
    200: "stored",
    400: "malformed",
    401: "unsigned",
    408: "slow",
    413: "too_large",
    415: "compressed",
    503: "unavailable",
}
_ENVELOPE = {
    "type": "object",
    "required": ["type", "data"],
    "properties": {
        "type": {
            "enum": [
                "message.received",
                "delivery.status",
                "conversation.archived",
                "conversation.assigned",
            ]
        },
        "data": {"type": "object"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [_ENVELOPE, {"type": "array", "items": _ENVELOPE}]}
            }
        },
    }
}


def webhooks(service: Service) -> APIRouter:
    """``POST /webhooks/cxone``."""
    router = APIRouter(route_class=AnsweringRoute, tags=["webhooks"])
    # Its own threads, so that nothing else can keep callbacks waiting. Abandoned work keeps its
    # thread until it ends: a store that hangs cannot make threads grow without bound.
    threads = ThreadPoolExecutor(_AT_ONCE, "sms-fsm-ingress")

    async def store(body: bytes, headers: dict[str, str]) -> WebhookReply:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(threads, service.engine.webhook, body, headers)
        try:
            return await asyncio.wait_for(work, _SECONDS_TO_STORE)
        except TimeoutError:
            reason = "the store did not answer in time: send it again"
            return WebhookReply(503, json.dumps({"error": reason}))

    @router.post(
        "/webhooks/cxone",
        name="sms_fsm.webhook",
        summary="Take callbacks in: one envelope or an array of them",
        openapi_extra=_BODY,
        responses={status: {"description": result} for status, result in _RESULTS.items()},
    )
    async def take(request: Request) -> Response:
        began = time.perf_counter()
        try:
            body = await read_body(request, LARGEST_BODY_BYTES)
        except Refused as error:
            answer = refusal(error)
        else:
            reply = await store(body, dict(request.headers))
            answer = Response(reply.body, reply.status, media_type="application/json")
        result = _RESULTS.get(answer.status_code, "other")
        service.metrics.took_in(result, time.perf_counter() - began)
        return answer

    return router
