"""A uvicorn server in a thread, so that the main thread is free to hear signals."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

_SECONDS_TO_FINISH = 8
"""For requests that are under way when the server is told to end."""

_KEEP_ALIVE_SECONDS = 75
"""Longer than the pauses of proxies and of senders with a pool of connections."""


@contextmanager
def listening(app: FastAPI, host: str, port: int, stop: threading.Event) -> Iterator[str]:
    """The application behind a port until the ``with`` ends; gives its URL.

    ``stop`` is set if the server ends by itself.

    Raises:
        OSError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listener:
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(target=_run, args=(server, listener, stop), name="sms-fsm-http")
        thread.start()
        try:
            yield f"http://{_written(host)}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )


def _run(server: uvicorn.Server, listener: socket.socket, stop: threading.Event) -> None:
    try:
        server.run(sockets=[listener])
    finally:
        stop.set()


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
