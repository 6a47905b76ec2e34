"""A bell for idle workers: whoever plans an effect that is due at once rings it.

Within a process it is a condition; between processes on one Postgres it is LISTEN and NOTIFY. It
only shortens the wait: workers still look now and then, so nothing depends on a ring that was
lost. A notification is no part of the transaction it tells of, because Postgres lets those that
notify commit one at a time only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from sms_fsm.errors import StoreUnavailable
from sms_fsm.logs import get_logger
from sms_fsm.machine import Step
from sms_fsm.store.database import Conflict, Database, translated
from sms_fsm.store.driver import Statement

_CHANNEL = "sms_fsm_due"
_NOTIFY = Statement(lambda _: select(func.pg_notify(bindparam("channel"), "")))
# What comes so soon after a notification is not told of: whoever heard it looks twice.
_ONCE_IN_SECONDS = 0.02
_RECONNECT_SECONDS = 1.0
_STOPS_WITHIN_SECONDS = 0.2
_AT_ONCE = timedelta(0)

_log = get_logger(__name__)


class Bell:
    """Fulfils `sms_fsm.ports.Bell`; is told of steps after their commit.

    Args:
        database: where other processes are told, if it is a Postgres.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rung = threading.Condition()
        self._times = 0
        self._workers = 0
        self._notified_at = float("-inf")

    @property
    def times(self) -> int:
        """How often it rang."""
        return self._times

    def hear(self, step: Step) -> None:
        """Ring if this step left something to do now."""
        again = step.event.name == "EffectRetried"
        if again or any(planned.due_in <= _AT_ONCE for planned in step.planned):
            self._ring()
            self._notify()

    def wait(self, times: int, seconds: float) -> None:
        """Until it rang more often than so many times, or so long."""
        with self._rung:
            self._rung.wait_for(lambda: self._times != times, seconds)

    @contextmanager
    def attended(self, stop: threading.Event) -> Iterator[None]:
        """Hear other processes, and ring when ``stop`` is set."""
        targets = [self._ring_at_the_end]
        if not self._database.is_sqlite:
            targets.append(self._listen)
        threads = [
            threading.Thread(target=target, args=(stop,), name="sms-fsm-bell", daemon=True)
            for target in targets
        ]
        with self._rung:
            self._workers += 1
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            with self._rung:
                self._workers -= 1
        for thread in threads:
            thread.join()

    def _ring(self) -> None:
        if not self._workers:
            return  # whoever takes in and does not work pays nothing
        with self._rung:
            self._times += 1
            self._rung.notify_all()

    def _ring_at_the_end(self, stop: threading.Event) -> None:
        stop.wait()
        self._ring()

    # Other processes

    def _notify(self) -> None:
        now = time.monotonic()
        if self._database.is_sqlite or now - self._notified_at < _ONCE_IN_SECONDS:
            return
        self._notified_at = now
        try:
            self._database.look(lambda driver: driver.first(_NOTIFY, {"channel": _CHANNEL}))
        except StoreUnavailable:
            _log.debug("bell.not_heard")

    def _listen(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._hear_others(stop)
            except (StoreUnavailable, Conflict):
                _log.debug("bell.deaf")
                stop.wait(_RECONNECT_SECONDS)

    def _hear_others(self, stop: threading.Event) -> None:
        with translated(self._database.engine), self._database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            driver: Any = connection.connection.driver_connection
            connection.detach()  # nobody else shall have one that listens
            driver.execute(f"LISTEN {_CHANNEL}")
            self._ring()  # for what was told while nobody listened
            while not stop.is_set():
                for _ in driver.notifies(timeout=_STOPS_WITHIN_SECONDS, stop_after=1):
                    self._ring()
                    # What came right after it was not told of.
                    stop.wait(2 * _ONCE_IN_SECONDS)
                    self._ring()
