"""Interleaved rounds: everybody in every round, in rotating order, compared within the round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.lane import Sample

_WARM_UP = 32


@dataclass(frozen=True, slots=True)
class Figures:
    """Rates in events per second, one a round, and the process' CPU time of one event."""

    name: str
    rates: tuple[float, ...]
    cpu_microseconds: float
    memory_kilobytes: int

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)

    def ratio_to(self, other: Figures) -> float:
        """The median of the ratios within each round."""
        return statistics.median(
            own / theirs for own, theirs in zip(self.rates, other.rates, strict=True)
        )


Run = Callable[[int], Sample]


def interleaved(
    runs: Mapping[str, Run], *, rounds: int, slice_seconds: float = 0.25
) -> Sequence[Figures]:
    """Figures of each; each runs for about the same time in every round."""
    sizes = {name: _size(run, slice_seconds) for name, run in runs.items()}
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            samples[name].append(runs[name](sizes[name]))
    return [figures_of(name, samples[name]) for name in names]


def _size(run: Run, seconds: float) -> int:
    """How many events take about a slice; the warm-up is in it."""
    run(_WARM_UP)
    once = run(2 * _WARM_UP)
    return max(_WARM_UP, int(once.rate * seconds))


def figures_of(name: str, samples: Sequence[Sample]) -> Figures:
    """One contender's samples, one a round."""
    return Figures(
        name=name,
        rates=tuple(sample.rate for sample in samples),
        cpu_microseconds=statistics.median(s.cpu_seconds / s.events * 1e6 for s in samples),
        memory_kilobytes=samples[-1].memory_kilobytes,
    )
