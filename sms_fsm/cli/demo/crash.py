"""A worker in a process of its own that is killed while it carries out an effect.

As a module it is that worker: it says that it is there, reads settings and the present from
stdin, and drains.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sms_fsm.cli.demo.stage import Stage
from sms_fsm.config import Settings
from sms_fsm.engine import Engine

_SHORTEST_LEASE_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 60.0


def killed_after_posting(stage: Stage, posted: Callable[[], bool]) -> bool:
    """Start a worker on the stage's store and kill it as soon as CXone took its post.

    Gives whether it came to that: it still ran, and had posted.
    """
    began = time.monotonic()
    with _worker() as worker:
        if not _is_there(worker):
            return False
        _instruct(worker, stage, lease_seconds=time.monotonic() - began)
        ends = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not posted() and worker.poll() is None and time.monotonic() < ends:
            time.sleep(0.01)
        return posted() and worker.poll() is None


@contextmanager
def _worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed in the end."""
    with subprocess.Popen(  # noqa: S603 - this module, by this interpreter
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # It must find this package wherever this process found it.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _is_there(worker: subprocess.Popen[bytes]) -> bool:
    """Whether it said so; False if it ended instead."""
    return worker.stdout is not None and bool(worker.stdout.readline())


def _instruct(worker: subprocess.Popen[bytes], stage: Stage, *, lease_seconds: float) -> None:
    """By stdin: arguments and environment are seen by others, and there are secrets in it.

    The lease is as long as the worker took to start: short, but never too short for the machine.
    """
    lease = {"lease_seconds": max(_SHORTEST_LEASE_SECONDS, lease_seconds)}
    settings = stage.settings.model_dump() | lease | {"workers": 1}
    for name in ("client_secret", "token_key", "webhook_secret"):
        settings[name] = settings[name].get_secret_value()
    orders = {"settings": settings, "now": stage.clock().isoformat()}
    if worker.stdin is not None:
        worker.stdin.write(json.dumps(orders).encode())
        worker.stdin.close()


def _work(orders: dict[str, Any]) -> None:
    now = datetime.fromisoformat(orders["now"])
    with Engine.from_settings(Settings(**orders["settings"]), clock=lambda: now) as engine:
        engine.drain()


if __name__ == "__main__":
    print(flush=True)
    _work(json.load(sys.stdin))
