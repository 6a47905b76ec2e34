"""A point in real time by which one whole call must be over."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Self

_SHORTEST_WAIT_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Deadline:
    """Counts on the monotonic clock: the present can be set back, a call's time can't."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(monotonic() + seconds)

    @property
    def rest(self) -> float:
        """Seconds that are left, never less than 0."""
        return max(0.0, self.at - monotonic())

    @property
    def wait(self) -> float:
        """The rest as a socket's time-out, where 0 would mean not to wait at all."""
        return max(self.rest, _SHORTEST_WAIT_SECONDS)

    def within(self, seconds: float) -> Deadline:
        """This deadline, or the one in ``seconds`` when that is sooner."""
        return Deadline(min(self.at, monotonic() + seconds))
