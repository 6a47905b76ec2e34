"""The service as a FastAPI application, with a worker beside it if wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from sms_fsm.config import Settings
from sms_fsm.engine import Engine
from sms_fsm.web.answers import AnsweringRoute
from sms_fsm.web.routing import check_secrets, routes
from sms_fsm.web.service import Service
from sms_fsm.web.worker import Worker

_DESCRIPTION = "Takes callbacks of NICE CXone in, sends texts, hands conversations over."


def create_app(
    engine: Engine, settings: Settings, *, insecure: bool = False, worker: bool = True
) -> FastAPI:
    """The service around an engine, which stays the caller's to close.

    Args:
        insecure: serve although webhooks are not signed.
        worker: carry out effects and timers, too, from start-up to shutdown.

    Raises:
        SettingsError: webhooks are not signed, and ``insecure`` was not said.
    """
    check_secrets(engine, insecure=insecure)
    service = Service.of(engine, settings, Worker(engine, settings) if worker else None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await run_in_threadpool(service.stop)

    app = FastAPI(
        title="sms_fsm",
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # served to those who may use the API
    )
    app.state.service = service
    app.include_router(routes(service))
    app.include_router(_document(app, service))
    return app


def _document(app: FastAPI, service: Service) -> APIRouter:
    """``GET /openapi.json``, for those who may use the API."""
    router = APIRouter(route_class=AnsweringRoute, include_in_schema=False)

    @router.get("/openapi.json", name="sms_fsm.openapi")
    def document(request: Request) -> JSONResponse:
        service.gate.bearer(request)
        return JSONResponse(app.openapi())

    return router
