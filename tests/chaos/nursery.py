"""Starts processes quickly: one process that has imported everything forks all others.

``python -m chaos.nursery FOLDER`` reads orders as JSON lines and answers with process ids. It
never starts a thread, so a fork of it is as good as new. All its children die with it.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sms_fsm.errors import StoreUnavailable
from sms_fsm.failpoints import listening

from .board import Board
from .roles import ROLES
from .sabotage import Sabotage, listener
from .site import Site

_TESTS = Path(__file__).parents[1]
_DIE_WITH_PARENT = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the nursery; ``place`` is its slot on the board."""

    pid: int
    role: str
    place: int

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def stopped(self) -> bool:
        """Whether it is paused by a signal."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Nursery:
    """The forking process, from outside."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ordering = threading.Lock()
        path = os.pathsep.join((str(_TESTS.parent), str(_TESTS)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.nursery", site.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(
        self, role: str, place: int, *, site: Site | None = None, sabotage: Sabotage | None = None
    ) -> Child:
        """A new process, at work soon, perhaps at another site, perhaps not for long."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        order = {
            "role": role,
            "place": place,
            "site": (site or self._site).to_data(),
            "sabotage": sabotage and sabotage.to_data(),
        }
        with self._ordering:
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            return Child(int(stdout.readline()), role, place)


def troubles(folder: Path) -> list[str]:
    """What children died of by themselves."""
    path = folder / "troubles"
    return path.read_text().split("\0")[:-1] if path.exists() else []


def _serve(folder: Path) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    stop = threading.Event()  # each child has its own, from its first moment on
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    board = Board(folder / "board")
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order, board, stop)
        print(pid, flush=True)


def _live(order: dict[str, Any], board: Board, stop: threading.Event) -> None:
    """A child's whole life; never returns."""
    status = 1
    try:
        _settle_in(Path(order["site"]["folder"]))
        _run(order, board, stop)
        board.note_end(order["place"])
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it dies of is written down for the verdict
        with Path(order["site"]["folder"], "troubles").open("a") as file:
            file.write(f"{order['role']}\n{traceback.format_exc()}\0")
    finally:
        os._exit(status)


def _settle_in(folder: Path) -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.getLogger("sms_fsm").setLevel(logging.ERROR)


def _run(order: dict[str, Any], board: Board, stop: threading.Event) -> None:
    board.clear(order["place"])
    site = Site(**order["site"])
    try:
        with listening(board.listener(order["place"])), _sabotaged(order["sabotage"], site):
            ROLES[order["role"]](site, stop)
    except StoreUnavailable:
        if not stop.is_set():
            raise


def _sabotaged(given: dict[str, Any] | None, site: Site) -> AbstractContextManager[None]:
    if given is None:
        return nullcontext()
    sabotage = Sabotage.from_data(given)
    return listening(listener(sabotage, site))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
