"""Replay of an exported log against the parsing of its lines and the firing of its events."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from made_logs import made_log

from bench.contenders.replaying import Go, fired, parsed, replayed
from bench.goals import Goal
from bench.lane import Sample
from bench.rounds import Figures, figures_of

_EVENTS_EACH = 25
_CONTENDERS: dict[str, Callable[[Path], Go]] = {
    "json.loads of the lines": parsed,
    "plain transitions, no checks": fired,
    "replay, one job": partial(replayed, jobs=1),
    "replay, two jobs": partial(replayed, jobs=2),
}


def replaying(
    folder: Path, *, rounds: int, conversations: int
) -> tuple[Sequence[Figures], Sequence[Goal]]:
    """Events per second of each, every one in a fresh process; the memory of replay."""
    path = folder / "log.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in made_log(conversations, _EVENTS_EACH))
    events = conversations * _EVENTS_EACH
    samples: dict[str, list[Sample]] = {name: [] for name in _CONTENDERS}
    for number in range(rounds):
        names = list(_CONTENDERS)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            samples[name].append(_fresh(_CONTENDERS[name], path, events))
    lines, plain, one, two = figures = [figures_of(name, samples[name]) for name in _CONTENDERS]
    return figures, [
        Goal("replay, one job / json.loads of the lines", one.ratio_to(lines), 0.3, 0.5),
        Goal("replay, one job / plain transitions", one.ratio_to(plain), 0.8, 1.0),
        Goal("replay, two jobs / one", two.ratio_to(one), 1.7, 1.9),
        Goal("replay: memory in MB", one.memory_kilobytes / 1024, 150, 100, at_most=True),
    ]


def _fresh(contender: Callable[[Path], Go], path: Path, events: int) -> Sample:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, contender, path, events).result()


def _measured(contender: Callable[[Path], Go], path: Path, events: int) -> Sample:
    go = contender(path)
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    go()
    ended, spent = time.perf_counter() - began, time.process_time() - cpu
    return Sample(events, ended, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
