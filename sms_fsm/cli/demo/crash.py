"""A worker in a process of its own that is killed while it carries out an effect.

As a module it is that worker: it reads settings and the present from stdin, and drains.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime

from sms_fsm.cli.demo.stage import Stage
from sms_fsm.config import Settings
from sms_fsm.engine import Engine

_LEASE_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 20.0


def killed_after_posting(stage: Stage, posted: Callable[[], bool]) -> bool:
    """Start a worker on the stage's store and kill it as soon as CXone took its post.

    Gives whether it came to that: it still ran, and had posted.
    """
    worker = subprocess.Popen(  # noqa: S603 - this module, by this interpreter
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # It must find this package wherever this process found it.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        _instruct(worker, stage)
        ends = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not posted() and worker.poll() is None and time.monotonic() < ends:
            time.sleep(0.01)
        return posted() and worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


def _instruct(worker: subprocess.Popen[bytes], stage: Stage) -> None:
    """By stdin: arguments and environment are seen by others, and there are secrets in it."""
    settings = stage.settings.model_dump() | {"lease_seconds": _LEASE_SECONDS, "workers": 1}
    for name in ("client_secret", "token_key", "webhook_secret"):
        settings[name] = settings[name].get_secret_value()
    orders = {"settings": settings, "now": stage.clock().isoformat()}
    if worker.stdin is not None:
        worker.stdin.write(json.dumps(orders).encode())
        worker.stdin.close()


def _work(orders: dict[str, object]) -> None:
    settings = orders["settings"]
    now = datetime.fromisoformat(str(orders["now"]))
    with Engine.from_settings(Settings(**settings), clock=lambda: now) as engine:  # type: ignore[arg-type]  # JSON of `_instruct`
        engine.drain()


if __name__ == "__main__":
    _work(json.load(sys.stdin))
