"""Senders: an open loop at a fixed rate, a crowd with copies, and sockets that crawl."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from standardwebhooks import Webhook

from .stage import SECRET

_CONNECTIONS = 160
_SIGNER = Webhook(SECRET)


@dataclass(slots=True)
class Answers:
    """Statuses and times in seconds.

    Args:
        seconds: from when a request was due, which counts what it waited for a free sender.
        slowest: the longest that any answer took from when its request was sent.
    """

    codes: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    slowest: float = 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def open_loop(port: int, bodies: Sequence[bytes], rate: float) -> Answers:
    """Each body at its due time, whether or not those before were answered."""
    begin = time.perf_counter() + 0.1

    def due(number: int) -> float:
        return begin + number / rate

    return _sent(port, bodies, due)


def crowd(port: int, bodies: Sequence[bytes]) -> Answers:
    """All of them as fast as they are taken."""
    return _sent(port, bodies, lambda _: time.perf_counter())


def _sent(port: int, bodies: Sequence[bytes], due: Callable[[int], float]) -> Answers:
    answers, numbers = Answers(), iter(range(len(bodies)))
    taking = threading.Lock()

    def work(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            with taking:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return
            at = due(number)
            time.sleep(max(at - time.perf_counter(), 0))
            began = time.perf_counter()
            code = _post(connection, bodies[number])
            ended = time.perf_counter()
            with taking:
                answers.codes[code] += 1
                answers.seconds.append(ended - at)
                answers.slowest = max(answers.slowest, ended - began)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(work, range(_CONNECTIONS)))
    return answers


def _post(connection: http.client.HTTPConnection, body: bytes) -> int:
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "msg",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": _SIGNER.sign("msg", now, body.decode()),
    }
    connection.request("POST", "/webhooks/cxone", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


@contextmanager
def crawling(port: int, number: int) -> Iterator[None]:
    """So many sockets that send one byte of a request each second."""
    stop = threading.Event()
    head = b"POST /webhooks/cxone HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(number)]

    def crawl() -> None:
        for byte in head:
            for one in sockets:
                with suppress(OSError):
                    one.send(bytes([byte]))
            if stop.wait(1):
                return

    thread = threading.Thread(target=crawl)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for one in sockets:
            one.close()
