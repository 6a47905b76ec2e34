"""An answer gets lost and a process is killed beside it: all is there once, in order, and rests.

Every creation and every post of these journeys meets the ambiguous answers of one row of the
matrix, so each failpoint that is passed lies near a lost answer: before the call, while it is
out, before and after what is recorded of it, around the look-up. At one of them the process is
killed. A few places are tried in every run, with ``SMS_FSM_CHAOS=full`` so many that each row
meets at least 20 kills on each store.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import pytest

from sms_fsm.simulator import Fault

from .fault_matrix import AMBIGUOUS, variants
from .sabotage import Place, Sabotage
from .sabotaged import FULL, Journey, Stage

AT_ONCE = 15 if FULL else 5  # other tests run beside the few
LEAST = 20 if FULL else 1
"""Kills of each row that must have happened."""
MOST = 64
"""Places of each row that are drawn from all."""
LATE = "F6"
LATE_SECONDS = 1.4
"""Longer than the lease: whoever takes over looks before the call is applied."""
SETTLE_SECONDS = 2.0
"""What the late ones are given to settle."""
MEANWHILE_SECONDS = 0.1
"""So long after a call began it is still out, if its answer never comes."""
STRUCK = ("createConversation", "postMessage")
SOME = (
    Sabotage(Place("call.after", "listMessages", 1), "exit"),
    Sabotage(Place("call.before", "postMessage", 3), "exit", seconds=MEANWHILE_SECONDS),
    Sabotage(Place("commit.after", "", 12), "exit"),
)


@dataclass(frozen=True, slots=True)
class Crash:
    """One journey, with one row of the matrix and one kill.

    ``turn`` counts the row's journeys, which take turns with its variants.
    """

    number: int
    row: str
    turn: int
    sabotage: Sabotage

    @property
    def label(self) -> str:
        return f"{self.row} in {self.number}"


@dataclass(frozen=True, slots=True)
class End:
    """What became of it."""

    crash: Crash
    killed: bool
    problems: Sequence[str]


@pytest.mark.timeout(3600 if FULL else 120)
def test_a_crash_beside_a_lost_answer_loses_doubles_and_reorders_nothing(stage: Stage) -> None:
    ends = _ends(stage, _crashes(stage))
    assert [problem for end in ends for problem in end.problems] == []
    verdict = stage.simulator.judge()
    assert verdict.ok, verdict
    fired = stage.simulator.fired
    met = Counter(end.crash.row for end in ends if end.killed and fired[end.crash.label])
    assert [row for row in AMBIGUOUS if met[row] < LEAST] == [], met


def _crashes(stage: Stage) -> list[Crash]:
    kills: Iterable[Sequence[Sabotage]] = [SOME] * len(AMBIGUOUS)
    if FULL:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            kills = list(pool.map(partial(_scouted, stage), range(len(AMBIGUOUS)), AMBIGUOUS))
    numbers = count(len(AMBIGUOUS))
    return [
        Crash(next(numbers), row, turn, kill)
        for row, own in zip(AMBIGUOUS, kills, strict=True)
        for turn, kill in enumerate(own)
    ]


def _scouted(stage: Stage, number: int, row: str) -> list[Sabotage]:
    """Kills from the first call on that is struck: some at any place, some while a call is out.

    All places would be too many: a process that waits passes commits that claim nothing.
    """
    with _journey(_fitting(stage, row), number, _faults(row, 0, label=row)) as journey:
        places = journey.places()
    first = next(n for n, place in enumerate(places) if place.subject in STRUCK)
    kills = [Sabotage(place, "exit") for place in places[first:]]
    drawn = random.Random(row).sample(kills, min(MOST, len(kills)))
    called = [k for k in kills if k.place.point == "call.before" and k.place.subject in STRUCK]
    return [*drawn, *(replace(kill, seconds=MEANWHILE_SECONDS) for kill in called)]


def _ends(stage: Stage, crashes: Sequence[Crash]) -> list[End]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(_end, stage), crashes))


def _end(stage: Stage, crash: Crash) -> End:
    faults = _faults(crash.row, crash.turn, label=crash.label)
    with _journey(_fitting(stage, crash.row), crash.number, faults) as journey:
        found = [f"{crash}: {problem}" for problem in journey.problems(crash.sabotage)]
        return End(crash, journey.killed, found)


@contextmanager
def _journey(stage: Stage, number: int, faults: Iterable[Fault]) -> Iterator[Journey]:
    """A journey each of whose creations and posts is struck once."""
    folder = stage.site.path / str(number)
    folder.mkdir()
    with stage.make_store(folder) as url:
        journey = Journey(stage, number, url, folder)
        expected = journey.cast.expected
        texts = [text for said in expected.values() for text in said]
        contents = {"createConversation": list(expected), "postMessage": texts}
        for fault in faults:
            for content in contents[fault.operation]:
                stage.simulator.fault(replace(fault, containing=content))
        yield journey


def _fitting(stage: Stage, row: str) -> Stage:
    """With time enough to settle that a call is applied after its caller's lease ran out."""
    if row != LATE:
        return stage
    return replace(stage, site=replace(stage.site, settle_seconds=SETTLE_SECONDS))


def _faults(row: str, turn: int, label: str) -> Iterator[Fault]:
    """A variant of the row for creations, and one for posts."""
    for operation in STRUCK:
        faults = [fault for fault in variants(row) if fault.operation == operation]
        fault = faults[turn % len(faults)]
        late = LATE_SECONDS if fault.is_late else None
        yield replace(fault, late_seconds=late, label=label)
