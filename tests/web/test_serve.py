"""``sms-fsm serve`` as a process: it starts, serves, drains and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from world import QUEUE

from sms_fsm.simulator import Simulator

from .serving import SECRET, TOKEN, Client, text

SOURCE = Path(__file__).parents[2]
PATIENCE_SECONDS = 30


class Served:
    """The process, with what it logged so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(json.loads(line))

    def logged(self, event: str) -> dict[str, Any]:
        """The first log line with this name, waited for."""
        eventually(lambda: any(line["event"] == event for line in self.lines))
        return next(line for line in self.lines if line["event"] == event)

    def ended(self) -> int:
        """Its exit code, all of its log read."""
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join()
        return code


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    simulator = Simulator()
    with simulator.serve() as url:
        yield {
            **{name: value for name, value in os.environ.items() if "SMS_FSM" not in name},
            "PYTHONPATH": str(SOURCE),
            "SMS_FSM_DATABASE_URL": f"sqlite:///{tmp_path}/store.db",
            "SMS_FSM_CXONE_URL": url,
            "SMS_FSM_CLIENT_ID": "demo-client",
            "SMS_FSM_CLIENT_SECRET": "demo-secret",
            "SMS_FSM_QUEUE_ID": QUEUE,
            "SMS_FSM_WEBHOOK_SECRET": SECRET,
            "SMS_FSM_API_TOKEN": TOKEN,
        }


@contextmanager
def served(environment: dict[str, str], *arguments: str) -> Iterator[Served]:
    """The command in the background; killed in the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sms_fsm", "serve", "--port", "0", *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=environment["SMS_FSM_DATABASE_URL"].removeprefix("sqlite:///").rpartition("/")[0],
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()


def test_it_takes_a_text_in_carries_it_out_and_ends_with_0_on_a_signal(
    environment: dict[str, str],
) -> None:
    with served(environment) as service:
        client = Client(service.logged("service.started")["url"])
        assert client.get("/readyz").status_code == 200
        identity = client.send(text("m-1")).json()["results"][0]["conversation"]
        path = f"/conversations/{identity}"
        eventually(lambda: client.call("GET", path).json()["state"] == "routed")
        service.process.send_signal(signal.SIGTERM)
        assert service.ended() == 0
        assert [line["event"] for line in service.lines][-2:] == [
            "service.draining",
            "service.stopped",
        ]


def test_without_a_worker_effects_wait(environment: dict[str, str]) -> None:
    with served(environment, "--no-worker") as service:
        client = Client(service.logged("service.started")["url"])
        client.send(text("m-1"))
        assert 'smsfsm_queue_depth{queue="effects",state="due"} 1.0' in client.get("/metrics").text


def test_it_listens_on_this_machine_alone_unless_told_otherwise(
    environment: dict[str, str],
) -> None:
    with served(environment) as service:
        assert service.logged("service.started")["url"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("missing", "said"),
    [("SMS_FSM_WEBHOOK_SECRET", "webhook_secret: missing"), ("SMS_FSM_QUEUE_ID", "queue_id")],
)
def test_it_does_not_start_without_what_it_needs(
    environment: dict[str, str], missing: str, said: str
) -> None:
    del environment[missing]
    ended = subprocess.run(
        [sys.executable, "-m", "sms_fsm", "serve", "--port", "0"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_said_to_be(environment: dict[str, str]) -> None:
    with served(environment) as service:
        taken = service.logged("service.started")["url"].rpartition(":")[2]
        ended = subprocess.run(
            [sys.executable, "-m", "sms_fsm", "serve", "--port", taken],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert ended.returncode == 1
        assert "in use" in ended.stderr
