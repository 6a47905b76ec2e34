"""All figures for Prometheus. No label ever carries a number, a conversation or a message.

What the store knows is asked of it at each scrape; what only a process knows (requests, attempts,
log events) is counted in it, so each process shows its own.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from sms_fsm.engine import Engine
from sms_fsm.web.log_figures import LogFigures
from sms_fsm.web.step_figures import StepFigures
from sms_fsm.web.store_figures import StoreFigures

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


class Metrics:
    """The figures of one service, in a registry of their own."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "smsfsm_ingress_requests",
            "Webhook requests by what became of them.",
            ["result"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "smsfsm_ingress_duration_seconds",
            "From a webhook's head to its answer.",
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self._log_figures = LogFigures(self._registry)
        engine.watch(StepFigures(self._registry).stepped)
        self._registry.register(StoreFigures(engine))

    def start(self) -> None:
        """Begin to hear log events."""
        self._log_figures.attach()

    def stop(self) -> None:
        """Hear no more log events."""
        self._log_figures.detach()

    def took_in(self, result: str, seconds: float) -> None:
        """A webhook was answered."""
        self._requests.labels(result).inc()
        self._durations.observe(seconds)

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
