"""What goes over an exported log: its lines alone, its events alone, and replay with all checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transitions import EventData, Machine

from sms_fsm.graph import StateGraph, default_graph
from sms_fsm.registry import Registry
from sms_fsm.replay import verify_file

Go = Callable[[], None]


class Happening(NamedTuple):
    """An event as plain `transitions` takes it: with what its guards will say."""

    begins: bool
    event: str
    answers: Mapping[str, bool]
    target: str


class Model:
    """What `transitions` moves, as light as it can be."""

    __slots__ = ("answers", "state")

    def __init__(self, state: str) -> None:
        self.state = state
        self.answers: Mapping[str, bool] = {}


def parsed(path: Path) -> Go:
    """Every line through `json.loads`."""
    lines = path.read_bytes().splitlines()

    def go() -> None:
        for line in lines:
            json.loads(line)

    return go


def fired(path: Path) -> Go:
    """Every event through a `transitions.Machine` of the same states, events and conditions.

    The events are parsed before; guards say at once what is recorded; no effect is planned, nothing
    is compared but the state.
    """
    graph = default_graph(Registry().names)
    events = list(_happenings(path))
    triggers = _plain(graph).events

    def go() -> None:
        model = Model(graph.initial)
        for begins, event, answers, target in events:
            if begins:
                model = Model(graph.initial)
            model.answers = answers
            triggers[event].trigger(model)
            if model.state != target:
                raise ValueError(f"{event} led to {model.state}, not to {target}")

    return go


def replayed(path: Path, jobs: int) -> Go:
    """Replay with all checks, as the command line does it."""

    def go() -> None:
        if not verify_file(path, jobs=jobs).clean:
            raise ValueError("the log does not come out as recorded")

    return go


def _happenings(path: Path) -> Iterator[Happening]:
    with path.open("rb") as file:
        for record in map(json.loads, file):
            if "seq" in record:
                answers: Sequence[Any] = record["guards"]
                begins = record["seq"] == 1
                yield Happening(begins, record["name"], dict(answers), record["target"])


def _plain(graph: StateGraph) -> Machine:
    # A state that does not know an event stays as it is, at the least cost that there is.
    machine = Machine(
        model=None,
        states=list(graph.states),
        initial=graph.initial,
        auto_transitions=False,
        send_event=True,
        ignore_invalid_triggers=True,
    )
    for move in graph.transitions:
        inside = move.target == move.source
        conditions: Any = [_condition(name) for name in move.guards]
        machine.add_transition(
            move.event, move.source, None if inside else move.target, conditions=conditions
        )
    for name in graph.events.keys() - machine.events.keys():
        machine.add_transition(name, graph.initial, None, conditions=[lambda _: False])
    return machine


def _condition(name: str) -> Callable[[EventData], bool]:
    def condition(data: EventData) -> bool:
        model: Any = data.model
        answer: bool = model.answers[name]
        return answer

    return condition
