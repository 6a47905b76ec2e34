"""The transport against servers that drip, flood, redirect, or are not who they say they are."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest

from sms_fsm.cxone.calls import Call
from sms_fsm.cxone.deadline import Deadline
from sms_fsm.cxone.transport import MOST_BODY_BYTES, Transport
from sms_fsm.cxone.wire import connected
from sms_fsm.errors import CXoneError
from sms_fsm.ports import StoredToken

from .certificates import Root
from .raw_platform import Drip, answer, answering, raw_platform
from .tenant import MovableClock

GET = Call("listMessages", "GET", ("conversations", "conv-1", "messages"))
CREATE = Call("createConversation", "POST", ("conversations",), json={"a": 1}, creates=True)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"


def failure(url: str, call: Call = CREATE, seconds: float = 0.3) -> CXoneError:
    with pytest.raises(CXoneError) as caught:
        Transport(url).send(call, Deadline.after(seconds))
    return caught.value


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A root that requests trusts for this test."""
    root = Root(tmp_path)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(root.file))
    return root


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 " + b"O" * 500, id="status line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 50, id="headers"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 30, id="interim answers"),
        pytest.param(HEAD + b"x" * 500, id="body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 90,
            id="chunks",
        ),
        pytest.param(b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n" + b"x" * 500, id="error body"),
    ],
)
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
def test_a_drip_is_cut_at_the_total_time_out(root: Root, secured: bool, data: bytes) -> None:
    drip = Drip(data)
    context = root.context("127.0.0.1") if secured else None
    with raw_platform(drip, context=context) as platform:
        error = failure(platform.url, seconds=0.3 if secured else 0.1)

        assert (error.code, error.ambiguous) == ("timeout", True)
        assert not drip.done


def test_a_flood_of_interim_answers_is_cut_at_the_total_time_out() -> None:
    def flood(connection: socket.socket, _: bytes) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with raw_platform(flood) as platform:
        assert failure(platform.url).code == "timeout"


def test_a_server_that_reads_slowly_is_cut_at_the_total_time_out() -> None:
    """The request is larger than all buffers between, so it is sending that waits."""
    text = "x" * 30_000_000
    large = Call("postMessage", "POST", ("x",), json={"a": text}, creates=True)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(30)
        received = pool.submit(_read_slowly, listener)
        error = failure(f"http://127.0.0.1:{listener.getsockname()[1]}", large, 2)

        assert (error.code, error.ambiguous) == ("timeout", True)
        assert received.result(30) < len(text)


def _read_slowly(listener: socket.socket) -> int:
    """Read all that comes, never so slowly that a single send would wait for long."""
    connection, _ = listener.accept()
    received = 0
    with connection, suppress(OSError):
        while data := connection.recv(65_536):
            received += len(data)
            sleep(0.01)
    return received


def test_a_tls_handshake_that_never_ends_was_not_applied() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure(f"https://127.0.0.1:{listener.getsockname()[1]}")

    assert (error.code, error.ambiguous) == ("timeout", False)


def test_a_tls_handshake_that_drips_is_cut_at_the_total_time_out(root: Root) -> None:
    context = root.context("127.0.0.1")
    with (
        raw_platform(answering(b"{}"), context=context) as platform,
        dripping_relay(platform.port) as port,
    ):
        error = failure(f"https://127.0.0.1:{port}")

    assert (error.code, error.ambiguous) == ("timeout", False)


class dripping_relay:  # noqa: N801  # reads as the context manager that it is
    """Passes bytes on at once one way, one by one the other way."""

    def __init__(self, target: int) -> None:
        self._target = socket.create_connection(("127.0.0.1", target))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = Event()
        self._threads: list[Thread] = []

    def __enter__(self) -> int:
        self._start(self._accept)
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._target.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()
        self._target.close()

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        with client:
            self._start(self._upstream, client)
            self._downstream(client)

    def _upstream(self, client: socket.socket) -> None:
        try:
            while data := client.recv(65_536):
                self._target.sendall(data)
        except OSError:
            return

    def _downstream(self, client: socket.socket) -> None:
        try:
            while (data := self._target.recv(1)) and not self._stopped.wait(0.001):
                client.sendall(data)
        except OSError:
            return


@pytest.mark.parametrize("call", [CREATE, GET], ids=lambda call: call.operation)
def test_a_name_look_up_that_hangs_is_cut_at_the_total_time_out(
    monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    released = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(10) and [])
    try:
        error = failure("https://cxone.test", call, 0.1)
    finally:
        released.set()

    assert (error.code, error.retryable, error.ambiguous) == ("timeout", True, False)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".test", "a..b"])
def test_a_host_that_does_not_exist_was_not_reached(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    look_up = socket.getaddrinfo

    def without_network(name: str, *rest: Any, **more: Any) -> Any:
        if name == "no-such-host.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return look_up(name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", without_network)

    error = failure(f"https://{host}")

    assert (error.code, error.retryable, error.ambiguous) == ("dns", True, False)


def test_a_dead_address_leaves_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_platform(answering(b"{}")) as platform:
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        refusing = (*tcp, ("127.0.0.1", 1))
        good = (*tcp, ("127.0.0.1", platform.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [refusing, good])

        with connected("cxone.test", 443, Deadline.after(1)) as sock:
            assert sock.getpeername() == ("127.0.0.1", platform.port)


def test_an_address_that_never_answers_uses_no_more_than_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []

    class Silent(socket.socket):
        def connect(self, _: Any) -> None:
            waited.append(self.gettimeout() or 0)
            raise TimeoutError

    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [tcp, tcp])
    monkeypatch.setattr(socket, "socket", Silent)

    with pytest.raises(TimeoutError):
        connected("cxone.test", 443, Deadline.after(10))

    assert waited[0] <= 5 < waited[1]


@pytest.mark.parametrize(
    ("address", "days"),
    [("127.0.0.2", 1), ("127.0.0.1", -1)],
    ids=["another host's", "expired"],
)
def test_a_certificate_that_is_not_good_is_refused(root: Root, address: str, days: int) -> None:
    with raw_platform(answering(b"{}"), context=root.context(address, days=days)) as platform:
        error = failure(platform.url, seconds=2)

        assert (error.code, error.retryable, error.ambiguous) == ("tls", True, False)
        assert platform.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = Root(tmp_path).context("127.0.0.1")
    with raw_platform(answering(b"{}"), context=context) as platform:
        error = failure(platform.url, seconds=2)

    assert (error.code, error.ambiguous) == ("tls", False)


def test_a_server_without_tls_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_speak_plainly, args=(listener,))
        thread.start()
        error = failure(f"https://127.0.0.1:{listener.getsockname()[1]}", seconds=2)
        thread.join()

    assert (error.code, error.ambiguous) == ("tls", False)


def _speak_plainly(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")


def test_tls_that_is_good_is_used_and_kept(root: Root) -> None:
    with raw_platform(answering(b"{}"), context=root.context("127.0.0.1")) as platform:
        transport = Transport(platform.url)
        for _ in range(3):
            assert transport.send(CREATE, Deadline.after(5)).body == b"{}"

        assert platform.connections == 1


def test_a_tls_connection_that_breaks_after_the_request_is_ambiguous(root: Root) -> None:
    def garble(connection: socket.socket, _: bytes) -> None:
        with socket.socket(fileno=connection.detach()) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)

    with raw_platform(garble, context=root.context("127.0.0.1")) as platform:
        error = failure(platform.url, seconds=2)

    assert (error.code, error.ambiguous) == ("tls", True)


def test_a_huge_body_is_not_read_to_its_end() -> None:
    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 1_000_000)

    with raw_platform(flood) as platform:
        error = failure(platform.url, seconds=10)

    assert (error.code, error.retryable, error.ambiguous) == ("too_large", True, True)


def test_a_gzip_bomb_is_not_unpacked_to_its_end() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with raw_platform(answering(bomb, "200 OK", "Content-Encoding: gzip")) as platform:
        error = failure(platform.url, seconds=10)

    assert (error.code, error.ambiguous) == ("too_large", True)


def test_a_body_as_large_as_the_cap_is_read_also_when_packed() -> None:
    body = b"x" * MOST_BODY_BYTES
    packed = gzip.compress(body)
    with raw_platform(answering(packed, "200 OK", "Content-Encoding: gzip")) as platform:
        assert Transport(platform.url).send(GET, Deadline.after(10)).body == body


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(clock: MovableClock) -> None:
    token = StoredToken("canary-access", None, clock(), 3600)
    with raw_platform(answering(b"{}")) as other:
        there = answering(b"", "307 Go", f"Location: {other.url}/api/v2/conversations")
        with raw_platform(there) as platform:
            answered = Transport(platform.url).send(CREATE, Deadline.after(2), token)

        assert answered.status == 307
        assert other.connections == 0


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password canary")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with raw_platform(answering(b"{}")) as platform:
        Transport(platform.url).send(GET, Deadline.after(2))

        assert b"authorization" not in platform.requests[0].lower()


def test_a_call_without_time_is_not_sent() -> None:
    with raw_platform(answering(b"{}")) as platform:
        error = failure(platform.url, seconds=0)

        assert (error.code, error.retryable, error.ambiguous) == ("timeout", True, False)
        assert platform.connections == 0


def test_threads_share_connections_but_never_one_at_the_same_time() -> None:
    def echo(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer(request.split(b" ")[1]))

    with raw_platform(echo) as platform:
        transport = Transport(platform.url)

        def ask(number: int) -> bool:
            call = Call("getConversation", "GET", ("conversations", str(number)))
            answered = transport.send(call, Deadline.after(10))
            return answered.body == f"/api/v2/conversations/{number}".encode()

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(200)))
        assert platform.connections <= 16


def test_connections_outlive_the_threads_that_made_them() -> None:
    with raw_platform(answering(b"{}")) as platform:
        transport = Transport(platform.url)
        for _ in range(5):
            thread = Thread(target=transport.send, args=(GET, Deadline.after(5)))
            thread.start()
            thread.join()

        assert platform.connections == 1


def test_a_deadline_counts_down_to_nothing_and_never_below() -> None:
    deadline = Deadline(monotonic() - 1)

    assert deadline.rest == 0
    assert deadline.wait > 0, "a socket with time-out 0 would not wait at all"
    assert Deadline.after(10).within(1).rest <= 1 < Deadline.after(2).within(10).rest


def test_libraries_below_log_no_query(caplog: pytest.LogCaptureFixture) -> None:
    query = {"participant_address": "+15551234567"}
    look_up = Call("findConversations", "GET", ("conversations",), query=query)
    caplog.set_level(logging.DEBUG)
    with raw_platform(answering(b"[]", "200 OK", "X-Broken")) as platform:
        Transport(platform.url).send(look_up, Deadline.after(2))
        assert b"15551234567" in platform.requests[0]

    assert "GET /api/v2/conversations" in caplog.text
    assert "15551234567" not in caplog.text
