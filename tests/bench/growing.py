"""Whether an event takes longer, and a process more memory, as a store grows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.crowds import with_conversations, with_log
from bench.goals import Goal
from bench.lane import Lane
from bench.rounds import Figures, interleaved
from bench.stores import Stores
from bench.taking_in import CUSTOMERS

_SMALL = "as filled"


def grown(
    stores: Stores, *, rounds: int, conversations: int, events: int
) -> tuple[Sequence[Figures], Sequence[Goal]]:
    """Time of an event and memory with many conversations and in a long log, against few."""
    crowd, long = f"{conversations:,} conversations", f"a log of {events:,} events"
    places = {_SMALL: CUSTOMERS, crowd: conversations, long: 1}
    urls = {name: stores.filled() for name in places}
    with_conversations(urls[crowd], conversations - CUSTOMERS, CUSTOMERS)
    with_log(urls[long], events)
    with ExitStack() as stack:
        runs = {
            name: stack.enter_context(Lane("engine:OneCaller", urls[name], customers=customers)).run
            for name, customers in places.items()
        }
        small, many, old = figures = interleaved(runs, rounds=rounds)
    memory = many.memory_kilobytes / small.memory_kilobytes
    at = f"{stores.name}: {crowd} / {CUSTOMERS:,}"
    return figures, [
        Goal(f"{at}: time of an event", small.ratio_to(many), 1.3, 1.1, at_most=True),
        Goal(f"{at}: memory", memory, 1.1, 1.0, at_most=True),
        Goal(
            f"{stores.name}: {long}: time of an event", small.ratio_to(old), 1.3, 1.1, at_most=True
        ),
    ]
