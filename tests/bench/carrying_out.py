"""Carrying effects out against the same calls made bare, and claiming among a million rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.crowds import with_effects
from bench.goals import Goal
from bench.lane import Lane
from bench.rounds import Figures, interleaved
from bench.slow_platform import slow_platform
from bench.stores import Stores
from bench.taking_in import CUSTOMERS


def carried_out(stores: Stores, *, rounds: int) -> tuple[Sequence[Figures], Sequence[Goal]]:
    """Effects per second with eight threads, against eight bare sessions."""
    with slow_platform() as platform, ExitStack() as stack:
        lanes = {
            name: stack.enter_context(
                Lane(f"carrying:{contender}", stores.filled(), platform, customers=CUSTOMERS)
            )
            for name, contender in (("dispatcher", "Drained"), ("bare sessions", "Bare"))
        }
        runs = {name: lane.run for name, lane in lanes.items()}
        ours, bare = figures = interleaved(runs, rounds=rounds, slice_seconds=1)
    goal = Goal(f"{stores.name}: dispatcher / bare sessions", ours.ratio_to(bare), 0.8, 0.95)
    return figures, [goal]


def claimed(
    stores: Stores, *, rounds: int, effects: int
) -> tuple[Sequence[Figures], Sequence[Goal]]:
    """Time of a claim with many rows in the outbox, against few."""
    urls = {"claim, empty outbox": stores.filled(), f"claim, {effects:,} rows": stores.filled()}
    with_effects([*urls.values()][1], effects)
    with ExitStack() as stack:
        lanes = {
            name: stack.enter_context(Lane("claiming:Claims", url, customers=CUSTOMERS))
            for name, url in urls.items()
        }
        runs = {name: lane.run for name, lane in lanes.items()}
        few, many = figures = interleaved(runs, rounds=rounds)
    path = f"{stores.name}: time of a claim among {effects:,} effects / in an empty outbox"
    return figures, [Goal(path, few.ratio_to(many), 1.5, 1.2, at_most=True)]
