"""Puts answers on the wire: properly, or as a fault wants it."""

from __future__ import annotations

import gzip
import json
import selectors
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sms_fsm.simulator.desk import Reply
from sms_fsm.simulator.faults import Fault
from sms_fsm.simulator.wire import Answer

_PIECE = 1 << 20
_HUGE = 200_000_000
_SLOW_SECONDS = 1.0
_LINGER_NONE = struct.pack("ii", 1, 0)


class Output(Protocol):
    """The buffered way to the client."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One connection to a client, at the moment of the answer."""

    connection: socket.socket
    out: Output
    head: Callable[[int, Mapping[str, str]], None] = field(repr=False)

    def gone(self, seconds: float | None) -> bool:
        """Waits up to ``seconds`` (None: for ever); true as soon as the client or we hang up."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            return bool(selector.select(seconds))


def mark_reset(connection: socket.socket) -> None:
    """Has a connection end with a reset instead of a proper close."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)


def is_reset(connection: socket.socket) -> bool:
    """Whether this connection is to end with a reset."""
    state = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_LINGER_NONE))
    return state == _LINGER_NONE


def write(line: Line, reply: Reply) -> bool:
    """Writes the answer; gives whether the connection can go on."""
    manner = _MANNERS.get(reply.fault.kind) if reply.fault else None
    if manner is None or reply.fault is None:
        _write_whole(line, reply.answer)
        return True
    manner(line, reply.answer, reply.fault)
    return False


def _write_whole(line: Line, answer: Answer) -> None:
    body = _encoded(answer)
    line.head(answer.status, _headers(answer, body))
    line.out.write(body)


def _encoded(answer: Answer) -> bytes:
    if isinstance(answer.body, bytes):
        return answer.body
    if answer.body is None:
        return b""
    return json.dumps(answer.body, ensure_ascii=False).encode()


def _headers(answer: Answer, body: bytes) -> dict[str, str]:
    media_type = "text/html" if isinstance(answer.body, bytes) else "application/json"
    length = {"Content-Length": str(len(body))}
    return ({"Content-Type": media_type} if body else {}) | length | dict(answer.headers)


def _reset(line: Line, _: Answer, __: Fault) -> None:
    mark_reset(line.connection)


def _hang(line: Line, _: Answer, fault: Fault) -> None:
    line.gone(fault.seconds)


def _slow(line: Line, answer: Answer, fault: Fault) -> None:
    body = _encoded(answer)
    line.head(answer.status, _headers(answer, body))
    pause = _SLOW_SECONDS if fault.seconds is None else fault.seconds
    for place in range(len(body)):
        line.out.write(body[place : place + 1])
        line.out.flush()
        if line.gone(pause):
            return


def _truncate(line: Line, answer: Answer, _: Fault) -> None:
    body = _encoded(answer)
    line.head(answer.status, _headers(answer, body))
    line.out.write(body[: len(body) // 2])


def _bad_chunks(line: Line, answer: Answer, _: Fault) -> None:
    line.head(answer.status, _chunked())
    line.out.write(b'4\r\n[{"m\r\nnot a size\r\n')


def _huge(line: Line, answer: Answer, fault: Fault) -> None:
    line.head(answer.status, _chunked())
    left = fault.size or _HUGE
    piece = b"%x\r\n" % _PIECE + b" " * _PIECE + b"\r\n"
    for _ in range(-(-left // _PIECE)):
        line.out.write(piece)
    body = _encoded(answer)
    line.out.write(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")


def _gzip_bomb(line: Line, answer: Answer, fault: Fault) -> None:
    members = -(-(fault.size or _HUGE) // _PIECE)
    bomb = gzip.compress(b" " * _PIECE) * members + gzip.compress(_encoded(answer))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    line.head(answer.status, headers | {"Content-Length": str(len(bomb))})
    line.out.write(bomb)


def _chunked() -> dict[str, str]:
    return {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}


_MANNERS: dict[str, Callable[[Line, Answer, Fault], None]] = {
    "reset": _reset,
    "hang": _hang,
    "slow": _slow,
    "truncate": _truncate,
    "bad_chunks": _bad_chunks,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
}
