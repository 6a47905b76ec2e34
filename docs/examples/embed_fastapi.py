"""The service's routes in a FastAPI application of your own: uvicorn embed_fastapi:app

One engine a process, made when the application starts and closed when it ends; any number of
processes may share one store. Handlers written with `def` run in threads, which is what the
engine's calls want; a handler written with `async def` would block everybody while it waits.
"""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from sms_fsm import Engine, Settings
from sms_fsm.web import router

settings = Settings.from_env()
engine = Engine.from_settings(settings)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """A worker as long as the application runs; leave it out where `sms-fsm work` runs."""
    stop = threading.Event()
    worker = threading.Thread(target=engine.work, args=(stop,))
    worker.start()
    yield
    stop.set()  # what the worker holds is finished first
    worker.join()
    engine.close()


app = FastAPI(lifespan=lifespan)
# POST /sms/webhooks/cxone, the JSON API under /sms/conversations, the operator's page at /sms/
app.include_router(router(engine, settings), prefix="/sms")


@app.get("/tickets/{ticket}")
def ticket(ticket: str) -> dict[str, str | None]:
    """One of your own routes, which asks the engine."""
    found = engine.find(external_customer_id=ticket)
    return {"ticket": ticket, "state": found.state if found else None}
