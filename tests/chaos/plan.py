"""The size of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of one run.

    Args:
        kills: how many processes are killed at work; every 25th is paused beyond its lease instead.
        usual, ambiguous: how often each row of the fault matrix, and each of F3 to F7, strikes.
        restarts: workers that are asked to stop (SIGTERM) and replaced, evenly spread.
        database_crashes: Postgres is shut down at once and comes back, evenly spread.
        window: conversations under way at the same time.
    """

    seed: int
    conversations: int
    kills: int = 0
    usual: int = 20
    ambiguous: int = 200
    restarts: int = 0
    database_crashes: int = 0
    workers: int = 8
    ingresses: int = 2
    threads: int = 2
    window: int = 120
