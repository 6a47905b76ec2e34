"""Who is told of steps once they are stored, such as figures. What they do undoes nothing."""

from __future__ import annotations

from collections.abc import Callable

from sms_fsm.logs import get_logger
from sms_fsm.machine import Step

_log = get_logger(__name__)


class Listeners:
    """Calls each listener with each step; one that raises is logged, the others still hear."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[Step], None], ...] = ()

    def add(self, listener: Callable[[Step], None]) -> None:
        self._listeners += (listener,)

    def __call__(self, step: Step) -> None:
        for listener in self._listeners:
            try:
                listener(step)
            except Exception:  # noqa: BLE001 - the step is stored: nothing may make it look failed
                _log.exception("listener.failed", step=step.event.name)
