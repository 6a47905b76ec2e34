"""What logs lay over a graph: the path of one conversation; how often and how long of many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sms_fsm.diagram.durations import about
from sms_fsm.diagram.view import Move, Note, Overlay, Tone
from sms_fsm.graph.model import State, StateGraph, Transition

_MOST_TIMES = 3


class Step(NamedTuple):
    """What one event did to a conversation; ``at`` is an aware time."""

    source: str
    target: str
    event: str
    at: datetime

    @property
    def move(self) -> Move:
        return Move(self.source, self.target, self.event)


class Dwell(NamedTuple):
    """How long a state held conversations: the median and the 95th percentile."""

    p50: timedelta
    p95: timedelta


def path_overlay(graph: StateGraph, steps: Iterable[tuple[str, str, str, datetime]]) -> Overlay:
    """The way of one conversation, lit, its moves numbered and timed (UTC).

    States and moves that the graph does not have, such as those of an older version, are drawn
    as well. Events that moved nothing are counted on their state.

    Args:
        steps: (source, target, event, at) of each event, oldest first.
    """
    log = [Step(*step) for step in steps]
    moves = [step for step in log if step.source != step.target]
    time, days = _clock(moves)
    runs: dict[Move, list[str]] = {}
    for number, step in enumerate(moves, 1):
        runs.setdefault(step.move, []).append(f"{number} · {time(step.at)}")
    return Overlay(
        states=_visits(log, log[-1].target if log else graph.initial),
        moves={move: Note(Tone.LIT, _shortened(times)) for move, times in runs.items()},
        legend=(f"The path of one conversation, its moves numbered{days}",),
        ghost_states=_unknown_states(graph, log),
        ghost_transitions=_unknown_moves(graph, runs),
    )


def heat_overlay(
    graph: StateGraph,
    counts: Mapping[tuple[str, str, str], int],
    dwells: Mapping[str, Dwell],
) -> Overlay:
    """How often each move ran and how long each state held.

    Args:
        counts: by (source, target, event); what never ran needs no entry.
        dwells: by state; a state without an entry was never left.
    """
    longest = max((dwell.p95 for dwell in dwells.values()), default=timedelta())
    ran = {Move(*move): Note(Tone.HEAT, count=count) for move, count in counts.items() if count}
    return Overlay(
        states={name: _warmth(dwell, longest) for name, dwell in dwells.items()},
        moves=ran,
        legend=(
            "Thick arrows ran often, warm states held long (p95); what is grey never happened",
        ),
        ghost_states=_unknown_states(graph, ran),
        ghost_transitions=_unknown_moves(graph, ran),
    )


def _clock(steps: Sequence[Step]) -> tuple[Callable[[datetime], str], str]:
    """How to write a time, and what to say about the day where the time leaves it out."""
    days = {step.at.astimezone(UTC).date() for step in steps}
    pattern = "%H:%M:%S" if len(days) == 1 else "%Y-%m-%d %H:%M"
    said = f"; {days.pop()} UTC" if len(days) == 1 else "; times are UTC"
    return lambda at: at.astimezone(UTC).strftime(pattern), said


def _visits(log: Sequence[Step], present: str) -> dict[str, Note]:
    stays = Counter(step.source for step in log if step.source == step.target)
    names = dict.fromkeys(name for step in log for name in (step.source, step.target))
    return {
        name: Note(
            Tone.PRESENT if name == present else Tone.LIT,
            _stayed(stays[name]),
        )
        for name in (*names, present)
    }


def _stayed(events: int) -> tuple[str, ...]:
    return (f"stayed for {events} event{'s' if events > 1 else ''}",) if events else ()


def _shortened(times: Sequence[str]) -> tuple[str, ...]:
    if len(times) <= _MOST_TIMES:
        return tuple(times)
    return (*times[: _MOST_TIMES - 1], f"… {len(times)} in all, last {times[-1]}")


def _warmth(dwell: Dwell, longest: timedelta) -> Note:
    share = math.log1p(dwell.p95.total_seconds()) / (math.log1p(longest.total_seconds()) or 1.0)
    lines = (f"p50 {about(dwell.p50)} · p95 {about(dwell.p95)}",)
    return Note(Tone.HEAT, lines, heat=round(share, 3))


def _unknown_states(graph: StateGraph, moves: Iterable[Move | Step]) -> tuple[State, ...]:
    names = dict.fromkeys(name for move in moves for name in (move.source, move.target))
    return tuple(State(name) for name in names if name not in graph.states)


def _unknown_moves(graph: StateGraph, moves: Iterable[Move]) -> tuple[Transition, ...]:
    known = {Move(t.source, t.target, t.event) for t in graph.transitions}
    return tuple(
        Transition("", move.source, move.event, move.target)
        for move in moves
        if move not in known and move.source != move.target
    )
