"""The processes of a run: a simulated CXone, the service, workers, each on its own."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

SECRET = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes !!!").decode()
SOURCE = Path(__file__).parents[2]
_PATIENCE_SECONDS = 60.0


class Stage:
    """A folder with a store, and the commands that run on it."""

    def __init__(self, folder: Path, cxone_url: str) -> None:
        self.file = folder / "store.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if "SMS_FSM" not in name},
            "PYTHONPATH": str(SOURCE),
            "SMS_FSM_DATABASE_URL": f"sqlite:///{self.file}",
            "SMS_FSM_CXONE_URL": cxone_url,
            "SMS_FSM_CLIENT_ID": "demo-client",
            "SMS_FSM_CLIENT_SECRET": "demo-secret",
            "SMS_FSM_QUEUE_ID": "queue_sms_support_01",
            "SMS_FSM_WEBHOOK_SECRET": SECRET,
        }

    @contextmanager
    def serving(self, *options: str) -> Iterator[int]:
        """`sms-fsm serve`; gives its port."""
        port = free_port()
        with running("serve", "--port", str(port), *options, environment=self.environment):
            answering(port)
            yield port

    @contextmanager
    def working(self) -> Iterator[None]:
        """`sms-fsm work`."""
        with running("work", "--poll-interval", "0.05", environment=self.environment):
            yield

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is in the store."""
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(query, values).fetchall()

    def count(self, name: str) -> int:
        """How many events of this name were recorded."""
        query = "SELECT count(*) FROM event_log WHERE json_extract(record, '$.name') = ?"
        return int(self.ask(query, name)[0][0])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else holds the file."""
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@contextmanager
def simulated_cxone() -> Iterator[str]:
    """`sms-fsm simulator`, which carries no texts on; gives its URL."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    options = ("--port", str(port), "--silent", "1")
    with running("simulator", *options, environment=environment):
        answering(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(*arguments: str, environment: dict[str, str]) -> Iterator[None]:
    """A command of ours until the ``with`` ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sms_fsm", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE_SECONDS)


@contextmanager
def bare_endpoint(folder: Path) -> Iterator[int]:
    """The endpoint to compare with; gives its port."""
    port = free_port()
    script = Path(__file__).with_name("bare.py")
    process = subprocess.Popen([sys.executable, script, str(folder / "bare.db"), str(port)])
    try:
        answering(port)
        yield port
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def answering(port: int) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def as_body(envelope: dict[str, Any]) -> bytes:
    return json.dumps(envelope).encode()
