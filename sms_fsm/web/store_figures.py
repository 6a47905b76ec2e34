"""Figures that the store knows, the same on every host: asked at each scrape, never by a scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sms_fsm.engine import Engine
from sms_fsm.errors import StoreUnavailable
from sms_fsm.store import Backlog, CarrierFigures


class StoreFigures(Collector):
    """The backlog and the carriers' figures; without a store only the word that it is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registration must not ask the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        now = self._engine.now()
        try:
            backlog = self._engine.board.backlog(now)
            carriers = self._engine.carriers()
        except StoreUnavailable:
            yield _gauge("store_up", "Whether the store could be read.", 0)
            return
        yield _gauge("store_up", "Whether the store could be read.", 1)
        yield from _waiting(backlog, now)
        yield from _carriers(carriers)


def _waiting(backlog: Backlog, now: datetime) -> Iterator[Metric]:
    depth = GaugeMetricFamily(
        "smsfsm_queue_depth",
        "Effects and parked callbacks in the store, counted up to 100,000.",
        labels=["queue", "state"],
    )
    for state in ("due", "waiting", "leased", "dead"):
        depth.add_metric(["effects", state], getattr(backlog, state))
    depth.add_metric(["callbacks", "parked"], backlog.parked)
    yield depth
    age = GaugeMetricFamily(
        "smsfsm_queue_oldest_age_seconds",
        "How long the effect that has been due for longest has waited.",
        labels=["queue"],
    )
    age.add_metric(["effects"], _age(backlog.oldest_due_at, now))
    yield age
    lag = _age(backlog.oldest_timer_due_at, now)
    yield _gauge("timer_lag_seconds", "How late the timer is that is overdue for longest.", lag)
    yield _gauge("dead_letters", "Effects that gave up and wait for an operator.", backlog.dead)
    about = "Callbacks about a message or conversation that is not known (yet)."
    yield _gauge("parked", about, backlog.parked)


def _carriers(figures: Iterable[CarrierFigures]) -> Iterator[Metric]:
    duplicates = CounterMetricFamily(
        "smsfsm_duplicates", "Repeated callbacks, by carrier profile.", labels=["kind", "profile"]
    )
    words = CounterMetricFamily(
        "smsfsm_deliveries", "Carriers' last words, by profile.", labels=["outcome", "profile"]
    )
    for carrier in figures:
        duplicates.add_metric(["callback", carrier.profile], carrier.duplicates)
        words.add_metric(["delivered", carrier.profile], carrier.delivered)
        words.add_metric(["failed", carrier.profile], carrier.failed)
    yield duplicates
    yield words


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"smsfsm_{name}", about, value=value)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
