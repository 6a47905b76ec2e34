"""Whatever events come, in whatever order: the log that they leave replays as recorded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_logs import START, Happening, Life, graph_line, lives, made_log, shipped_machine

from sms_fsm.events import timer_elapsed
from sms_fsm.graph import default_graph_text, load_graph_text
from sms_fsm.log import sealed_lines
from sms_fsm.machine import Machine
from sms_fsm.registry import Registry
from sms_fsm.replay import Bucket, ProblemCode, bounded_lines, verify
from sms_fsm.replay.tally import MOST_LISTED

MACHINE = shipped_machine()


def log_of(*lives: Life, machine: Machine = MACHINE) -> list[str]:
    return [graph_line(machine.graph), *(line for life in lives for line in sealed_lines(life.log))]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 30))
def test_any_sequence_of_events_replays_as_recorded(data: st.DataObject, length: int) -> None:
    def choose(options: Sequence[Happening]) -> Happening:
        return options[data.draw(st.integers(0, len(options) - 1))]

    life = Life(MACHINE, 1, choose)
    for _ in range(length):
        life.go_on()
    report = verify(log_of(life))
    assert report.problems == ()
    assert report.divergences == ()
    assert report.judged == length
    assert report.conversations[Bucket.SAME] == 1


def test_many_conversations_replay_as_recorded() -> None:
    report = verify(made_log(300, 40, seed=21))
    assert report.clean
    assert report.judged == report.events == 300 * 40
    assert report.conversations[Bucket.SAME] == 300


def test_replaying_twice_gives_the_same_report() -> None:
    lines = list(made_log(10, 20))
    assert verify(lines) == verify(lines)


def test_refused_commands_replay_as_refused() -> None:
    text = default_graph_text().replace(
        "  - id: transfer\n    from: any but new, archived",
        "  - id: transfer\n    from: [routed]",
    )
    registry = Registry()
    graph = load_graph_text(text, registry.names)
    machine = Machine(graph, registry.guards, registry.actions)
    made = list(lives(60, 25, seed=3, machine=machine))
    refused = sum(step.refused for life in made for step in life.steps)
    report = verify(log_of(*made, machine=machine))
    assert refused > 10
    assert report.clean
    assert report.judged == 60 * 25


def test_a_refusal_that_the_graph_does_not_give_is_a_divergence() -> None:
    text = default_graph_text().replace(
        "  - id: transfer\n    from: any but new, archived",
        "  - id: transfer\n    from: [routed]",
    )
    registry = Registry()
    strict = Machine(load_graph_text(text, registry.names), registry.guards, registry.actions)
    made = list(lives(20, 25, seed=3, machine=strict))
    report = verify(log_of(*made, machine=strict), graph=MACHINE.graph)
    refused = [step for life in made for step in life.steps if step.refused]
    assert report.divergent == len(refused)
    assert report.added == {"UpdateRouting": len(refused)}
    assert {d.differs[0] for d in report.divergences} == {"refused"}
    assert report.conversations[Bucket.DIVERGED] > 0


# Several graphs in one log


def test_each_event_is_judged_on_the_graph_that_it_was_recorded_on() -> None:
    registry = Registry()
    text = default_graph_text()
    later = load_graph_text(
        text.replace("version: 1\n", "version: 2\n").replace("[60s, 300s, 900s]", "[5s]"),
        registry.names,
    )
    second = Machine(later, registry.guards, registry.actions)
    old, new = list(lives(8, 25, seed=6)), list(lives(20, 25, seed=6, machine=second))[8:]
    lines = [graph_line(MACHINE.graph), *log_of(*old, *new, machine=second)]
    report = verify(lines)
    assert report.clean
    assert [coverage.version for coverage in report.coverage] == [1, 2]


# Coverage


def test_a_log_without_events_covers_nothing() -> None:
    (coverage,) = verify(log_of()).coverage
    assert coverage.transitions == MACHINE.graph.transitions
    assert coverage.states == tuple(MACHINE.graph.states)
    assert len(coverage.guards) == 2 * len({g for t in coverage.transitions for g in t.guards})


def test_coverage_names_what_no_event_exercised() -> None:
    made = list(lives(12, 25, seed=2))
    steps = [step for life in made for step in life.steps]
    (coverage,) = verify(log_of(*made)).coverage
    ran = {step.transition for step in steps} - {None}
    answered = {pair for step in steps for pair in step.asked}
    visited = {state for step in steps for state in (step.before.state, step.after.state)}
    assert coverage.transitions == tuple(t for t in MACHINE.graph.transitions if t not in ran)
    assert {pair for pair in coverage.guards if pair in answered} == set()
    assert set(coverage.states) == set(MACHINE.graph.states) - visited
    assert ran
    assert coverage.transitions


# A log of any size


def test_memory_does_not_grow_with_the_number_of_conversations(tmp_path: Path) -> None:
    few, many = tmp_path / "few.jsonl", tmp_path / "many.jsonl"
    few.write_text("\n".join(made_log(1_000, 3)))
    many.write_text("\n".join(made_log(10_000, 3)))
    # The first run also pays for what is built once.
    _peak(few)
    assert _peak(many) < 1.5 * _peak(few)


def _peak(path: Path) -> int:
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            assert verify(bounded_lines(file)).clean
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_problems_beyond_the_limit_are_counted_but_not_kept() -> None:
    garbage = ["{}"] * (MOST_LISTED + 7)
    report = verify(garbage)
    assert report.faults == MOST_LISTED + 7
    assert len(report.problems) == MOST_LISTED
    assert {problem.code for problem in report.problems} == {ProblemCode.UNREADABLE}


def test_progress_is_told_now_and_then() -> None:
    heard: list[int] = []
    verify(made_log(100, 25), on_progress=heard.append)
    assert heard == [1000, 2000]


# Events that nothing hears


@pytest.mark.parametrize("name", ["IdleElapsed", "UnheardOf"])
def test_an_event_that_the_graph_does_not_know_moves_nothing(name: str) -> None:
    life = Life(MACHINE, 1, lambda options: options[0])
    life.go_on()
    life.happen(timer_elapsed(START, name))
    assert verify(log_of(life)).clean
