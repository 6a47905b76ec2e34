"""Taking texts in: this engine, its limit and its neighbours, side by side on one kind of store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from bench.goals import Goal
from bench.lane import Lane
from bench.rounds import Figures, interleaved
from bench.stores import Stores, rows

CUSTOMERS = 1000
ONE, MANY, ARRAYS = "engine, one caller", "engine, 64 callers", "engine, arrays of 1,000"
RAW = "raw driver, one caller"
_OURS = {ONE: "engine:OneCaller", MANY: "engine:ManyCallers", ARRAYS: "engine:Arrays"}
_BY_HAND, _EVENTS, _DBOS = "transitions + SQLModel", "eventsourcing", "DBOS"
_PEERS = {
    _BY_HAND: "by_hand:ByHand",
    _EVENTS: "eventsourced:Eventsourced",
    _DBOS: "dbos_steps:OneStep",
}
# What these keep elsewhere, or not at all, as their modules say.
_EXEMPT = {_EVENTS: frozenset({"inbox", "message", "event_log", "outbox"}), _DBOS: {"inbox"}}
_GOALS = {
    ("SQLite", ONE, RAW): (0.6, 0.75),
    ("SQLite", MANY, RAW): (1.5, 2.5),
    ("SQLite", ARRAYS, RAW): (3, 5),
    ("SQLite", ONE, _DBOS): (12, 20),
    ("Postgres", ONE, RAW): (0.9, 1.5),
    ("Postgres", MANY, RAW): (3, 5),
    ("Postgres", ARRAYS, RAW): (6, 10),
    ("Postgres", ONE, _DBOS): (6, 10),
}
_GOALS |= {(store, ONE, _EVENTS): (1.5, 2) for store in ("SQLite", "Postgres")}
_GOALS |= {(store, ONE, _BY_HAND): (3, 5) for store in ("SQLite", "Postgres")}


def measured(
    stores: Stores, *, rounds: int, peers: bool
) -> tuple[Sequence[Figures], Sequence[Goal]]:
    """Figures of everybody on stores of this kind, and what they say about the goals."""
    contenders = {RAW: f"raw:Raw{stores.name.capitalize()}", **_OURS, **(_PEERS if peers else {})}
    with ExitStack() as stack:
        urls = {name: stores.filled() for name in contenders}
        before = rows(next(iter(urls.values())))
        lanes = {
            name: stack.enter_context(Lane(contender, urls[name], customers=CUSTOMERS))
            for name, contender in contenders.items()
        }
        figures = interleaved({name: lane.run for name, lane in lanes.items()}, rounds=rounds)
        for name, lane in lanes.items():
            _check(name, before, rows(urls[name]), lane.events)
    return figures, _goals(stores.name, figures)


def _check(name: str, before: Mapping[str, int], after: Mapping[str, int], events: int) -> None:
    """Whoever skips a row looks fast."""
    exempt = _EXEMPT.get(name, frozenset())
    for kind, count in after.items():
        expected = before[kind] + (0 if kind == "conversation" else events)
        if name != _EVENTS and kind not in exempt and count != expected:
            raise RuntimeError(f"{name}: {count} rows of {kind}, expected {expected}")


def _goals(store: str, figures: Sequence[Figures]) -> Sequence[Goal]:
    by_name = {figure.name: figure for figure in figures}
    return [
        Goal(f"{store}: {who} / {other}", by_name[who].ratio_to(by_name[other]), *wanted)
        for (kind, who, other), wanted in _GOALS.items()
        if kind == store and other in by_name
    ]
