"""What all routes share, made once an application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sms_fsm.config import Settings
from sms_fsm.engine import Engine
from sms_fsm.web.access import Gate
from sms_fsm.web.metrics import Metrics
from sms_fsm.web.worker import Worker


@dataclass(slots=True)
class Service:
    """An engine as the web shows it.

    ``draining`` says that no new work should be sent here: the process is about to end.
    """

    engine: Engine
    settings: Settings
    gate: Gate
    metrics: Metrics
    worker: Worker | None = None
    draining: bool = False

    @classmethod
    def of(cls, engine: Engine, settings: Settings, worker: Worker | None = None) -> Self:
        """The service of an engine, its metrics attached."""
        return cls(
            engine=engine,
            settings=settings,
            gate=Gate(settings.api_token),
            metrics=Metrics(engine),
            worker=worker,
        )

    def start(self) -> None:
        """Begin to carry effects out, where that is wanted, and to count."""
        self.metrics.start()
        if self.worker is not None:
            self.worker.start()

    def drain(self) -> None:
        """Ask for no new work; what is held is finished."""
        self.draining = True
        if self.worker is not None:
            self.worker.ask_to_stop()

    def stop(self) -> None:
        """Finish what is held."""
        self.drain()
        if self.worker is not None:
            self.worker.join()
        self.metrics.stop()
