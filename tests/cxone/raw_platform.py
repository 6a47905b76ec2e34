"""A platform of raw sockets, which can answer as wrongly as no HTTP library would."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from time import sleep

Script = Callable[[socket.socket, bytes], None]
"""What a platform does with a request that it has read."""


class RawPlatform:
    """Listens on a port of its own; each request is read in full and handed to the script."""

    def __init__(self, script: Script, *, context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopped = Event()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[Thread] = []
        self._open: list[socket.socket] = []
        self._accept = Thread(target=self._accept_all, daemon=True)
        self._accept.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.stopped.set()
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accept, *self._threads):
            thread.join(5)

    def _accept_all(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with suppress(OSError), connection:
            if self._context is None:
                self._converse(connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._open.append(secured)
                self._converse(secured)

    def _converse(self, connection: socket.socket) -> None:
        while not self.stopped.is_set() and (request := read_request(connection)):
            self.requests.append(request)
            self.script(connection, request)


@contextmanager
def raw_platform(script: Script, *, context: ssl.SSLContext | None = None) -> Iterator[RawPlatform]:
    platform = RawPlatform(script, context=context)
    try:
        yield platform
    finally:
        platform.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65_536)
        if not received:
            return b""
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line[15:])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(body: bytes, status: str = "200 OK", *headers: str) -> Script:
    data = answer(body, status, *headers)
    return lambda connection, _: connection.sendall(data)


class Drip:
    """A script that sends one byte at a time; ``done`` tells whether it came to the end."""

    def __init__(self, data: bytes, seconds: float = 0.02) -> None:
        self._data = data
        self._seconds = seconds
        self.done = False

    def __call__(self, connection: socket.socket, _: bytes) -> None:
        for index in range(len(self._data)):
            connection.sendall(self._data[index : index + 1])
            sleep(self._seconds)
        self.done = True


def resetting(data: bytes = b"") -> Script:
    """Send this much, then reset the connection."""

    def reset(connection: socket.socket, _: bytes) -> None:
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.close()

    return reset


def with_tokens(script: Script) -> Script:
    """The script, for all but token requests: those are answered well."""
    token = b'{"access_token": "canary-access", "token_type": "Bearer", "expires_in": 3600}'

    def serve(connection: socket.socket, request: bytes) -> None:
        if b"/oauth/token " in request.partition(b"\r\n")[0]:
            connection.sendall(answer(token))
        else:
            script(connection, request)

    return serve
