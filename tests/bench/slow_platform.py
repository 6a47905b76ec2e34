"""A platform that takes 20 ms for every call, in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

ANSWERS_AFTER_SECONDS = 0.02


@contextmanager
def slow_platform() -> Iterator[str]:
    """Its URL. It answers every post with a new message id, and anybody with a token."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()


def _serve(pipe: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        pipe.send(server.getsockname()[1])
        numbers = count()
        while True:
            caller, _ = server.accept()
            threading.Thread(target=_answer, args=(caller, numbers), daemon=True).start()


def _answer(caller: socket.socket, numbers: Iterator[int]) -> None:
    """One connection, kept alive."""
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with caller, caller.makefile("rb") as lines:
        while request := lines.readline():
            length = 0
            while (header := lines.readline().lower()) not in (b"\r\n", b""):
                if header.startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            lines.read(length)
            time.sleep(ANSWERS_AFTER_SECONDS)
            body = json.dumps(_said(request, next(numbers))).encode()
            status = b"201 Created" if b"/messages" in request else b"200 OK"
            caller.sendall(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (status, len(body))
                + body
            )


def _said(request: bytes, number: int) -> dict[str, object]:
    if b"/oauth/token" in request:
        return {"access_token": "bench", "token_type": "Bearer", "expires_in": 3600}
    return {"message_id": f"msg-{number}"}
