"""The processes of the engine's side: workers, webhook ingress, and the host's own software."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sms_fsm import Engine, StoreUnavailable

from .journey import scout, travel
from .scripts import Command, Script, scripts
from .site import BUSINESS, Site

_LOOK_EVERY_SECONDS = 0.1
_BEGUN = "begun"


def work(site: Site, stop: threading.Event) -> None:
    """What ``sms-fsm work`` does."""
    with site.engine(stop) as engine:
        engine.work(stop, poll_interval=0.2)


class _Server(ThreadingHTTPServer):
    allow_reuse_port = True
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Without the base class's look-up of the host's name."""
        socketserver.TCPServer.server_bind(self)


def take_in(site: Site, stop: threading.Event) -> None:
    """Takes webhooks on the site's port; several processes share it."""
    port = int((site.path / "ingress-port").read_text())
    with site.engine(stop) as engine:

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = engine.webhook(body, dict(self.headers))
                self.send_response(reply.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = _Server(("127.0.0.1", port), Handler)
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        stop.wait()
        server.shutdown()
        server.server_close()


def be_host(site: Site, stop: threading.Event) -> None:
    """Asks for what the scripts say, in order, and notes what was acknowledged."""
    with site.engine(stop) as engine:
        _Host(engine, site).run(stop)


class _Host:
    """The host's software: what it was not told of it asks for again, with the same key."""

    def __init__(self, engine: Engine, site: Site) -> None:
        self._engine = engine
        self._folder = site.path
        self._scripts = scripts(site.seed, site.conversations)
        self._acknowledged = set(acknowledged(site.path))
        self._known: dict[int, str] = {}
        self._open: list[Script] = []
        self._seen = 0

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_EVERY_SECONDS):
            count = begun(self._folder)
            self._open += self._scripts[self._seen : count]
            self._seen = count
            self._open = [script for script in self._open if not self._is_through(script)]

    def _is_through(self, script: Script) -> bool:
        try:
            return all(self._has_asked(script, command) for command in script.commands)
        except StoreUnavailable:
            return False

    def _has_asked(self, script: Script, command: Command) -> bool:
        name = f"{script.number}/{command.key}"
        if name in self._acknowledged:
            return True
        if not self._carry_out(script, command):
            return False
        self._acknowledge(name)
        return True

    def _carry_out(self, script: Script, command: Command) -> bool:
        if command.kind == "initiate":
            self._engine.initiate(
                to=script.customer,
                from_=BUSINESS,
                text=str(command.text),
                key=f"{script.number}/{command.key}",
            )
            return True
        identity = self._identity(script)
        if identity is None:
            return False
        _COMMANDS[command.kind](self._engine, identity, command)
        return True

    def _identity(self, script: Script) -> str | None:
        if script.number not in self._known:
            found = self._engine.find(customer=script.customer, business=BUSINESS)
            if found is None:
                return None
            self._known[script.number] = found.id
        return self._known[script.number]

    def _acknowledge(self, name: str) -> None:
        self._acknowledged.add(name)
        with (self._folder / "acknowledged").open("ab", buffering=0) as file:
            file.write(f"{name}\n".encode())


def _reply(engine: Engine, identity: str, command: Command) -> None:
    engine.reply(identity, str(command.text), key=command.key)


def _note(engine: Engine, identity: str, command: Command) -> None:
    engine.reply(identity, str(command.text), key=command.key, internal_note=True)


def _transfer(engine: Engine, identity: str, command: Command) -> None:
    engine.transfer(identity, queue_id=f"queue_{command.key}", key=command.key)


_COMMANDS: Mapping[str, Callable[[Engine, str, Command], None]] = {
    "reply": _reply,
    "forbidden": _reply,
    "note": _note,
    "transfer": _transfer,
}


def acknowledged(folder: Path) -> list[str]:
    """What the host was told of, as ``number/key``, in order."""
    path = folder / "acknowledged"
    return path.read_text().splitlines() if path.exists() else []


def begin(folder: Path, count: int) -> None:
    """Tell the host how many customers there are so far."""
    path = folder / f"{_BEGUN}.{os.getpid()}"
    path.write_text(str(count))
    path.replace(folder / _BEGUN)


def begun(folder: Path) -> int:
    path = folder / _BEGUN
    return int(path.read_text()) if path.exists() else 0


ROLES: Mapping[str, Callable[[Site, threading.Event], None]] = {
    "worker": work,
    "ingress": take_in,
    "host": be_host,
    "traveller": travel,
    "scout": scout,
}
