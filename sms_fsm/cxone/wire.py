"""Sockets under requests that keep one total time-out.

urllib3's own time-outs start again with every received byte and with every address of a host, and
leave name resolution out. Here each wait of a call (look-up, connect, TLS handshake, sending,
status line, headers, body) gets only what is left of the whole.
"""

from __future__ import annotations

import http.client
import io
import socket
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util.timeout import Timeout

from sms_fsm.cxone.deadline import Deadline

_TLS_RECORD_BYTES = 16_384

if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class Until(Timeout):
    """A time-out that ends at a point in time, however long it takes to get to the socket."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(total=deadline.wait)
        self._deadline = deadline

    def clone(self) -> Until:
        return Until(self._deadline)

    @property
    def connect_timeout(self) -> float:
        """Asked for right before the connection is used.

        Raises:
            TimeoutError: there is no time left.
        """
        if not self._deadline.rest:
            raise TimeoutError("the time was up before anything was written")
        return self._deadline.wait

    @property
    def read_timeout(self) -> float:
        return self._deadline.wait


class NotConnected(HTTPError):
    """No connection came about, so not one byte of the request was written. See ``__cause__``."""


def connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection to the first address of the host that answers.

    Each address gets an equal share of the time that is left, so that a dead one can't use it up.

    Raises:
        OSError: why the last address failed; ``TimeoutError`` when the time was up.
    """
    addresses = _addresses(host, port, deadline)
    failure: OSError = TimeoutError("no address in time")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.wait / (len(addresses) - position))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """The host's addresses. The system's look-up knows no time-out: it waits in its own thread."""
    found: SimpleQueue[list[Any] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            found.put(error)
        except UnicodeError:
            found.put(socket.gaierror(socket.EAI_NONAME, "no host can have this name"))

    Thread(target=look_up, name="sms-fsm-dns", daemon=True).start()
    try:
        addresses = found.get(timeout=deadline.rest)
    except Empty:
        raise TimeoutError("name resolution") from None
    if isinstance(addresses, Exception):
        raise addresses
    return addresses


class _ReadUntil(io.RawIOBase):
    """A socket's bytes until the deadline, however slowly they drip."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._deadline.rest:
            raise TimeoutError("the answer took too long")
        self._socket.settimeout(self._deadline.wait)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PunctualSocket:
    """All that `http.client.HTTPResponse` asks of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        deadline = Deadline.after(self._socket.gettimeout() or 0)
        return io.BufferedReader(_ReadUntil(self._socket, deadline))


class _PunctualResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(_PunctualSocket(sock), *args, **options)  # type: ignore[arg-type]  # as much of a socket as it uses


class _Punctual(_Base):
    """What both kinds of connection do about time: ``timeout`` runs from when it was set."""

    response_class = _PunctualResponse
    _deadline = Deadline(0)

    @property
    def timeout(self) -> float:
        return self._deadline.wait

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._deadline = Deadline.after(seconds or 0)

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, ValueError, HTTPError) as error:
            raise NotConnected(type(error).__name__) from error

    def _new_conn(self) -> socket.socket:
        sock = connected(self._dns_host, self.port, self._deadline)
        for option in self.socket_options or ():
            sock.setsockopt(*option)
        sock.settimeout(self.timeout)
        return sock

    def send(self, data: Any) -> None:
        """Writes as long as there is time: a process that was paused must not write afterwards."""
        for start in range(0, len(data), _TLS_RECORD_BYTES):
            if self.sock is not None:
                self.sock.settimeout(self.timeout)
            if not self._deadline.rest:
                raise TimeoutError("the time was up before all was written")
            super().send(data[start : start + _TLS_RECORD_BYTES])


class _PlainConnection(_Punctual, HTTPConnection):
    pass


class _TlsConnection(_Punctual, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class PunctualAdapter(HTTPAdapter):
    """Keeps connections alive, repeats nothing, and keeps a total time-out.

    The time-out is given as `Until`. Threads may share an adapter.
    """

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
