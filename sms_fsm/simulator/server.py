"""The HTTP server: HTTP/1.1 with keep-alive, one thread a connection, quick to stop."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from sms_fsm.simulator.answers import Line, is_reset, mark_reset, write
from sms_fsm.simulator.desk import Reply
from sms_fsm.simulator.operations import resolve
from sms_fsm.simulator.wire import Answer, Call, refused

_LARGEST_BODY = 1 << 20
_STOP_WITHIN_SECONDS = 5.0

Handle = Callable[[Call], Reply]
Administer = Callable[[str, str, Mapping[str, str], bytes], Answer]


class HttpServer(ThreadingHTTPServer):
    """Serves calls by ``handle`` and ``/simulator/…`` by ``administer``."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        *,
        handle: Handle,
        administer: Administer,
        connect: Callable[[], bool],
    ) -> None:
        self.handle = handle
        self.administer = administer
        self._connect = connect
        self._open: set[socket.socket] = set()
        self._closed = threading.Condition()
        super().__init__(address, _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Serves from a thread of its own until ``stop``."""
        self._thread.start()

    def stop(self) -> None:
        """Hangs up on everybody, those who wait for an answer too."""
        self.shutdown()
        self._thread.join()
        with self._closed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._closed.wait_for(lambda: not self._open, _STOP_WITHIN_SECONDS)
        self.server_close()

    def server_bind(self) -> None:
        """Binds without the name look-up of ``HTTPServer``, which can take seconds."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hands a new connection to its thread, or resets it."""
        with self._closed:
            self._open.add(request)
        if self._connect():
            super().process_request(request, client_address)
            return
        mark_reset(request)
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Ends a connection: by a proper close, or by the reset that a fault asked for."""
        with contextlib.suppress(OSError):
            if not is_reset(request):
                request.shutdown(socket.SHUT_WR)
        request.close()
        with self._closed:
            self._open.discard(request)
            self._closed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    """Reads requests of one connection and has them answered."""

    server: HttpServer
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle(self) -> None:
        """Until either side hangs up."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        """What is still unsent when a client hangs up is dropped."""
        with contextlib.suppress(ConnectionError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing: the ledger has it all."""

    def _serve(self) -> None:
        body = self._read_body()
        path, _, query = self.path.partition("?")
        if body is None:
            too_large = refused(
                "", 413, "invalid_request", "the body is too large or has no length"
            )
            self.close_connection = True
            self._write(Reply(too_large, None))
        elif path.startswith("/simulator/"):
            parameters = dict(parse_qsl(query))
            self._write(Reply(self._administer(path, parameters, body), None))
        else:
            self._write(self.server.handle(self._call(path, query, body)))

    def _administer(self, path: str, parameters: Mapping[str, str], body: bytes) -> Answer:
        name = path.removeprefix("/simulator/")
        return self.server.administer(self.command, name, parameters, body)

    def _call(self, path: str, query: str, body: bytes) -> Call:
        operation, conversation_id = resolve(self.command, path)
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Call(operation, conversation_id, parameters, headers, body)

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0" if self._may_be_bodiless() else "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def _may_be_bodiless(self) -> bool:
        return "Transfer-Encoding" not in self.headers

    def _write(self, reply: Reply) -> None:
        line = Line(self.connection, self.wfile, self._head)
        if not write(line, reply):
            self.close_connection = True

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class's names
