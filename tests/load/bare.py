"""What there is to compare with: the same framework, and one committed row a request."""

from __future__ import annotations

import sqlite3
import sys
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool


def bare(file: str) -> FastAPI:
    """``POST /webhooks/cxone`` that keeps the body, as durably as the engine does."""
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE row (body BLOB)")
    one_writer = threading.Lock()
    app = FastAPI()

    def keep(body: bytes) -> None:
        with one_writer:
            connection.execute("INSERT INTO row VALUES (?)", (body,))

    @app.post("/webhooks/cxone")
    async def take(request: Request) -> dict[str, Any]:
        await run_in_threadpool(keep, await request.body())
        return {}

    return app


if __name__ == "__main__":
    uvicorn.run(bare(sys.argv[1]), port=int(sys.argv[2]), log_level="error", access_log=False)
