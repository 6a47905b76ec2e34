"""A worker in a thread of its own, and whether it is alive."""

from __future__ import annotations

import threading
import time

from sms_fsm.config import Settings
from sms_fsm.engine import Engine
from sms_fsm.logs import get_logger

_PATIENCE_SECONDS = 30.0

_log = get_logger(__name__)


class _Pulse(threading.Event):
    """The event that ends a worker. A worker asks for it between any two effects: its pulse."""

    def __init__(self) -> None:
        super().__init__()
        self.felt_at = time.monotonic()

    def is_set(self) -> bool:
        self.felt_at = time.monotonic()
        return super().is_set()

    @property
    def wanted(self) -> bool:
        """Whether the worker was asked to end; looking is no pulse."""
        return super().is_set()


class Worker:
    """Runs `Engine.work` beside the server."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        # No effect holds a worker for longer than its lease.
        self._longest_silence = settings.lease_seconds + _PATIENCE_SECONDS
        self._stop = _Pulse()
        self._thread = threading.Thread(target=self._work, name="sms-fsm-work", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        """Wait until what it holds is finished."""
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def trouble(self) -> str | None:
        """Why it does not work, or None."""
        if self._stop.wanted:
            return None
        if not self._thread.is_alive():
            return "the worker ended unexpectedly"
        silence = time.monotonic() - self._stop.felt_at
        if silence > self._longest_silence:
            return f"the worker has been stuck for {silence:.0f} s"
        return None

    def _work(self) -> None:
        try:
            self._engine.work(self._stop)
        except Exception:
            _log.exception("worker.crashed")
            raise
