"""Whether the process lives and should be sent work, each with what is wrong; and figures."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from sms_fsm.errors import StoreUnavailable
from sms_fsm.web.answers import NO_STORE
from sms_fsm.web.service import Service

_SECONDS_TO_CHECK = 2.5
_PROBLEM: dict[int | str, dict[str, Any]] = {503: {"description": "names what is wrong"}}


def health(service: Service) -> APIRouter:
    """``GET /livez``, ``GET /readyz`` and ``GET /metrics``."""
    router = APIRouter(tags=["health"])
    prober = _Prober(service)

    @router.get("/livez", name="sms_fsm.livez", responses=_PROBLEM)
    async def livez() -> JSONResponse:
        """Whether the process is well; asks nobody else."""
        trouble = service.worker.trouble if service.worker else None
        return _verdict({} if trouble is None else {"worker": trouble})

    @router.get("/readyz", name="sms_fsm.readyz", responses=_PROBLEM)
    async def readyz() -> JSONResponse:
        """Whether callbacks can be stored. CXone may be away: they are stored all the same."""
        wrong = {"service": "draining: it is about to end"} if service.draining else {}
        trouble = await prober.store_trouble()
        return _verdict(wrong if trouble is None else wrong | {"store": trouble})

    @router.get("/metrics", name="sms_fsm.metrics", response_class=PlainTextResponse)
    def metrics() -> Response:
        """Figures in Prometheus' text format; no label carries a number or an id."""
        return Response(service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return router


class _Prober:
    """Asks the store with a thread of its own: a store that hangs keeps one thread, not many."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, "sms-fsm-probe")

    async def store_trouble(self) -> str | None:
        """What is wrong with the store, or None."""
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._thread, self._service.engine.check_store)
        try:
            await asyncio.wait_for(asked, _SECONDS_TO_CHECK)
        except StoreUnavailable as error:
            return str(error)
        except TimeoutError:
            return "the store does not answer"
        return None


def _verdict(wrong: dict[str, str]) -> JSONResponse:
    said = {"status": "wrong", "wrong": wrong} if wrong else {"status": "ok"}
    return JSONResponse(said, 503 if wrong else 200, NO_STORE)
