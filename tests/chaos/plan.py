"""The size of a run."""

from __future__ import annotations

from dataclasses import dataclass

KILLED = "killed at work"
PAUSED = "paused at work, beyond their lease"
RESTARTED = "workers restarted by SIGTERM"
DATABASE_CRASHED = "Postgres killed"

_RESERVE = 0.5
_FEWEST_IN_RESERVE = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of one run, each act evenly spread over it.

    Args:
        conversations: at least so many; more come while something of the plan has yet to happen.
        kills: processes that are killed (SIGKILL) at work.
        pauses: processes that are paused (SIGSTOP) at work, beyond their lease.
        restarts: workers that are asked to stop (SIGTERM) and replaced, one after the other.
        database_crashes: Postgres is shut down at once and comes back.
        usual, ambiguous: how often each row of the fault matrix, and each of F3 to F7, strikes.
        window: conversations under way at the same time.
    """

    seed: int
    conversations: int
    kills: int = 0
    pauses: int = 0
    restarts: int = 0
    database_crashes: int = 0
    usual: int = 0
    ambiguous: int = 0
    workers: int = 8
    ingresses: int = 2
    threads: int = 2
    window: int = 120

    @property
    def acts(self) -> dict[str, int]:
        """How often each act is wanted, by its name."""
        return {
            KILLED: self.kills,
            PAUSED: self.pauses,
            RESTARTED: self.restarts,
            DATABASE_CRASHED: self.database_crashes,
        }

    @property
    def most_conversations(self) -> int:
        """How many there can be: those that are wanted, and a reserve."""
        return self.conversations + max(_FEWEST_IN_RESERVE, int(self.conversations * _RESERVE))
