"""A document becomes a graph, or all that is wrong with it is said at once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from graph_documents import SHIPPED_NAMES, SMALL, SMALL_NAMES, changed, small

import sms_fsm.graph.loader as loader_module
from sms_fsm.errors import GraphError
from sms_fsm.graph import (
    ClosedPolicy,
    EffectType,
    EventKind,
    Migration,
    OnFailure,
    Policies,
    State,
    Timer,
    Transition,
    UnknownCodes,
    check_text,
    default_graph,
    default_graph_text,
    load_graph_file,
    load_graph_text,
    load_stored_graph,
)

ALWAYS = ("MessageReceived", "ReplyRequested", "ConversationInitiated", "TransferRequested")


def test_the_shipped_graph_has_neither_errors_nor_warnings() -> None:
    assert check_text(default_graph_text(), SHIPPED_NAMES) == ()


def test_the_shipped_graph_has_the_public_states() -> None:
    graph = default_graph(SHIPPED_NAMES)
    assert list(graph.states) == [
        "new",
        "active",
        "routed",
        "awaiting_delivery",
        "delivered",
        "failed",
        "archived",
        "reactivated",
    ]
    assert graph.initial == "new"
    assert (graph.id, graph.version, graph.file) == ("sms-continuity", 1, "states.yaml")
    assert graph.document == default_graph_text()


@pytest.mark.parametrize("event", ALWAYS)
def test_the_shipped_graph_takes_texts_and_hand_overs_in_every_state(event: str) -> None:
    graph = default_graph(SHIPPED_NAMES)
    for state in graph.states:
        (move,) = graph.outgoing(state, event)
        assert (move.guards, move.target) == ((), state)


def test_any_stands_for_every_state() -> None:
    moves = [move for move in default_graph(SHIPPED_NAMES).transitions if move.id == "replace"]
    assert [move.source for move in moves] == list(default_graph(SHIPPED_NAMES).states)
    assert {move.target for move in moves} == {"new"}


def test_any_but_leaves_states_out() -> None:
    moves = [move for move in default_graph(SHIPPED_NAMES).transitions if move.id == "idle"]
    assert {move.source for move in moves} == {
        "active",
        "routed",
        "awaiting_delivery",
        "delivered",
        "failed",
        "reactivated",
    }


def test_a_rule_of_two_sources_and_two_events_is_four_transitions_of_one_id() -> None:
    rule = "  - {id: four, from: [b, a], on: [Tick, DeliveryReported], to: a, when: is_green}\n"
    graph = load_graph_text(SMALL + rule, SMALL_NAMES)
    assert [move for move in graph.transitions if move.id == "four"] == [
        Transition("four", source, event, "a", ("is_green",))
        for source in ("b", "a")
        for event in ("Tick", "DeliveryReported")
    ]


def test_a_rule_without_target_stays_in_each_of_its_states() -> None:
    graph = load_graph_text(SMALL + "  - {id: stay, from: any, on: Tick}\n", SMALL_NAMES)
    moves = [move for move in graph.transitions if move.id == "stay"]
    assert [(move.source, move.target) for move in moves] == [("a", "a"), ("b", "b")]


def test_rules_of_one_state_and_event_are_tried_in_the_order_of_the_document() -> None:
    graph = default_graph(SHIPPED_NAMES)
    assert [move.id for move in graph.outgoing("awaiting_delivery", "DeliveryReported")] == [
        "delivery-retry",
        "delivery-fallback",
        "spell-failed",
        "spell-delivered",
        "message-settled",
    ]


def test_every_field_of_a_document_arrives() -> None:
    graph = load_graph_text(FULL, SMALL_NAMES, "full.yaml")
    assert (graph.id, graph.version, graph.title, graph.file) == (
        "full",
        3,
        "All of it",
        "full.yaml",
    )
    assert graph.policies == Policies(
        retry_after=(timedelta(seconds=5), timedelta(minutes=6)),
        unknown_codes=UnknownCodes.FAIL,
        poll_first=timedelta(hours=7),
        poll_longest=timedelta(days=8),
        closed_conversation=ClosedPolicy.HOLD,
        isolation="by_campaign",
    )
    assert graph.states["a"] == State("a", "begin here", "one", initial=True)
    assert graph.states["b"] == State("b", rest=True, awaits_delivery=True)
    assert graph.states["c"] == State("c", final=True)
    assert graph.events["Tick"].kind is EventKind.TIMER
    assert graph.effects == {
        "Call": EffectType("Call", timedelta(hours=1), OnFailure.STEP_ASIDE, "ring")
    }
    assert graph.timers == {"Tick": Timer("Tick", timedelta(minutes=2), ("a", "b"), ("Go",))}
    assert graph.transitions[0] == Transition(
        "first", "a", "Go", "b", ("is_green", "is_round"), ("call", "rest")
    )
    assert graph.migrations == (
        Migration(1, {"z": "a"}),
        Migration(2, {"a": "a", "b": "b"}),
    )


FULL = """\
graph: full
version: 3
title: >
  All
  of it
policies:
  isolation: by_campaign
  closed_conversation: hold
  failed_delivery: {retry_after: [5s, 6m], unknown_codes: fail}
  delivery_poll: {first: 7h, longest: 8d}
states:
  a: {title: begin here, group: one, initial: true}
  b: {rest: true, awaits_delivery: true}
  c: {final: true}
events:
  Go: {kind: command}
  Tick: {kind: timer}
  DeliveryReported: {kind: fact}
effects:
  Call: {title: ring, retry_for: 1h, on_failure: step_aside}
timers:
  Tick: {after: 2m, states: any but c, restarted_by: Go}
transitions:
  - {id: first, from: a, on: Go, when: [is_green, is_round], to: b, do: [call, rest]}
  - {id: word, from: b, on: DeliveryReported, to: c}
  - {id: tick, from: [a, b], on: Tick}
migrate:
  - {from: 1, states: {z: a}}
  - {from: 2, states: {a: a, b: b}}
"""


def test_what_is_left_out_has_the_usual_value() -> None:
    graph = load_graph_text(SMALL, SMALL_NAMES)
    assert graph.policies == Policies()
    assert (graph.timers, graph.migrations, graph.title) == ({}, (), "")


def test_an_empty_section_counts_as_left_out() -> None:
    text = small("effects:", "policies:\ntimers:\nmigrate:\neffects:")
    assert check_text(text, SMALL_NAMES) == ()


def test_a_state_needs_no_fields() -> None:
    text = small("  b: {rest: true}", "  b:")
    assert [problem.code for problem in check_text(text, SMALL_NAMES)] == ["G501"]


def test_words_that_other_readers_of_yaml_take_for_true_are_texts() -> None:
    text = SMALL.replace("b:", "yes:").replace("to: b", "to: yes").replace("from: b", "from: yes")
    assert "yes" in load_graph_text(text, SMALL_NAMES).states


def test_every_thing_knows_its_place() -> None:
    graph = load_graph_text(SMALL, SMALL_NAMES)
    lines = SMALL.splitlines()
    places = [
        *((state.name, state.mark) for state in graph.states.values()),
        *((event.name, event.mark) for event in graph.events.values()),
        *((effect.name, effect.mark) for effect in graph.effects.values()),
        *((move.id, move.mark) for move in graph.transitions),
    ]
    for name, mark in places:
        assert lines[mark.line - 1].startswith(name, mark.column - 1)


def test_all_problems_come_at_once_in_the_order_of_the_document() -> None:
    text = default_graph_text()
    for old, new in (
        ("title: open in CXone", "titel: open in CXone"),
        ("after: 72h", "after: 72"),
        ("when: [already_routed]\n    to: routed", "when: [already_roted]\n    to: routd"),
        ("    do: [poll_delivery]\n  - id: taken-late", "    do: [os.popen]\n  - id: taken-late"),
        ("  - id: idle\n", "  - id: archive\n"),
    ):
        text = changed(text, old, new)
    with pytest.raises(GraphError) as caught:
        load_graph_text(text, SHIPPED_NAMES, "states.yaml")
    problems = caught.value.problems
    assert [problem.code for problem in problems] == [
        "G101",
        "G104",
        "G203",
        "G201",
        "G107",
        "G211",
    ]
    assert all(problem.severity == "error" for problem in problems)
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert caught.value.code == "G101"
    line = text[: text.index("titel")].count("\n") + 1
    assert str(caught.value).splitlines()[0] == (
        f"states.yaml:{line}:5: G101 unknown key 'titel'; did you mean 'title'?"
    )


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("rest: true}\nevents", "rset: true}\nevents", "'rest'"),
        ("from: a", "form: a", "'from'"),
        ("to: b", "to: bb", "'b'"),
        ("from: b, on: Go", "from: b, on: Goo", "'Go'"),
        ("do: call", "do: cal", "'call'"),
        ("hold", "holt", "'hold'"),
        ("kind: timer", "kind: tmier", "'timer'"),
        ("  Tick:", "  Tik:", "'Tick'"),
        ("  Call:", "  Cal:", "'Call'"),
    ],
)
def test_one_mistyped_word_is_one_problem_with_a_suggestion(old: str, new: str, meant: str) -> None:
    (problem,) = check_text(small(old, new), SMALL_NAMES)
    assert problem.message.endswith(f"did you mean {meant}?")


def test_a_slip_in_one_rule_does_not_hide_that_the_graph_lacks_something() -> None:
    text = small("  b: {rest: true}", "  b: {rest: true}\n  lost: {rest: true}")
    text = changed(text, "do: call", "do: cal")
    assert [problem.code for problem in check_text(text, SMALL_NAMES)] == ["G303", "G204"]


def test_a_rule_that_cannot_be_read_does_not_make_the_rest_look_broken() -> None:
    text = small("from: a, on: Go, to: b", "from: {a: b}, on: Go, to: b")
    assert [problem.code for problem in check_text(text, SMALL_NAMES)] == ["G103"]


def test_warnings_do_not_keep_a_graph_from_loading() -> None:
    text = small("  b: {rest: true}", "  b: {}")
    (warning,) = check_text(text, SMALL_NAMES)
    assert warning.severity == "warning"
    assert load_graph_text(text, SMALL_NAMES).states["b"] == State("b")


def test_a_longer_automatic_cycle_is_told_in_the_order_in_which_it_runs() -> None:
    text = small("  b: {rest: true}", "  b: {rest: true}\n  c: {rest: true}")
    text = changed(text, "transitions:", "timers:\n  Tick: {after: 1h, states: any}\ntransitions:")
    text += "".join(
        f"  - {{id: {source}{target}, from: {source}, on: Tick, to: {target}}}\n"
        for source, target in ("ab", "bc", "ca")
    )
    (problem,) = check_text(text, SMALL_NAMES)
    assert problem.code == "G309"
    steps = problem.message.removeprefix("timers alone drive ").split(" -> ")
    assert steps in (list("abca"), list("bcab"), list("cabc"))


@pytest.mark.parametrize(
    ("restarted_by", "when", "codes"),
    [("[Tick]", "[]", ["G309"]), ("[]", "[]", []), ("[Tick]", "is_green", [])],
)
def test_a_timer_that_starts_itself_is_a_cycle_unless_a_guard_can_end_it(
    restarted_by: str, when: str, codes: list[str]
) -> None:
    timer = f"timers:\n  Tick: {{after: 1h, states: b, restarted_by: {restarted_by}}}\n"
    text = small("transitions:", f"{timer}transitions:")
    text += f"  - {{id: tick, from: b, on: Tick, when: {when}}}\n"
    assert [problem.code for problem in check_text(text, SMALL_NAMES)] == codes


def test_a_rule_may_follow_one_whose_guards_it_does_not_include() -> None:
    text = changed(SMALL, "to: a}\n", "when: [is_green, is_round], to: a}\n")
    text += "  - {id: other, from: b, on: Go, when: is_green}\n"
    text += "  - {id: rest, from: b, on: Go}\n"
    assert check_text(text, SMALL_NAMES) == ()


def test_a_rule_behind_one_with_fewer_guards_never_runs() -> None:
    text = changed(SMALL, "to: a}\n", "when: is_green, to: a}\n")
    text += "  - {id: other, from: b, on: Go, when: [is_round, is_green]}\n"
    (problem,) = check_text(text, SMALL_NAMES)
    assert (problem.code, problem.line) == ("G308", 15)


def test_a_graph_file_is_loaded_and_named_in_problems(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(SMALL, encoding="utf-8")
    bad.write_text(small("to: b", "to: nowhere"), encoding="utf-8")
    assert load_graph_file(good, SMALL_NAMES).file == str(good)
    with pytest.raises(GraphError) as caught:
        load_graph_file(bad, SMALL_NAMES)
    assert (caught.value.file, caught.value.code) == (str(bad), "G201")


def test_in_a_wheel_the_shipped_graph_lies_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sms_fsm").mkdir()
    (tmp_path / "sms_fsm" / "states.yaml").write_text("graph: packaged\n", encoding="utf-8")
    monkeypatch.setattr(loader_module, "files", lambda name: tmp_path / name)
    assert default_graph_text() == "graph: packaged\n"


def test_a_stored_graph_still_loads_when_the_engine_learned_new_events() -> None:
    newer = replace(SMALL_NAMES, events=SMALL_NAMES.events | {"Invented"})
    with pytest.raises(GraphError, match="Invented"):
        load_graph_text(SMALL, newer)
    stored = load_stored_graph(SMALL, newer, "<stored version 2>")
    assert stored.behaviour_hash == load_graph_text(SMALL, SMALL_NAMES).behaviour_hash


def test_a_stored_graph_whose_names_are_gone_cannot_be_used() -> None:
    poorer = replace(SMALL_NAMES, actions={})
    with pytest.raises(GraphError, match="G204"):
        load_stored_graph(SMALL, poorer, "<stored version 2>")
