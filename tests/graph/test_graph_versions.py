"""The hash covers exactly what decides, and the differences are exactly what it covers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from graph_documents import SMALL, SMALL_NAMES, changed
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.graph import Change, Item, StateGraph, diff, load_graph_text

RICH = """\
graph: rich
version: 3
policies:
  closed_conversation: hold
  failed_delivery: {retry_after: [60s, 5m], unknown_codes: fail}
  delivery_poll: {first: 5m, longest: 1h}
states:
  a: {initial: true, rest: true, title: start, group: x}
  b: {rest: true, awaits_delivery: true}
  c: {rest: true}
events:
  Go: {kind: command, title: move}
  Tick: {kind: timer}
  DeliveryReported: {kind: fact}
effects:
  Call: {retry_for: 24h, on_failure: hold, title: phone}
timers:
  Tick: {after: 2h, states: [b, c], restarted_by: [Go, DeliveryReported]}
transitions:
  - {id: round, from: a, on: Go, when: [is_round, is_green], to: b, do: [call, rest]}
  - {id: else, from: a, on: Go, to: c}
  - {id: word, from: b, on: DeliveryReported, to: c}
  - {id: tick, from: [b, c], on: Tick, to: a}
  - {id: same, from: c, on: Go, do: [call]}
  - {id: visit, from: c, on: DeliveryReported, to: b}
"""
WORD = "  - {id: word, from: b, on: DeliveryReported, to: c}\n"
TICK = "  - {id: tick, from: [b, c], on: Tick, to: a}\n"
GO_ROUND = Item("transition", "round", "a", "Go")

# What is replaced, by what, and the one change that it makes.
DECIDING: dict[str, tuple[str, str, Change]] = {
    "id of the graph": (
        "graph: rich",
        "graph: poor",
        Change(Item("graph", "id"), "value", "rich", "poor"),
    ),
    "closed conversations": (
        "closed_conversation: hold",
        "closed_conversation: replace",
        Change(Item("policy", "closed_conversation"), "value", "hold", "replace"),
    ),
    "retries": (
        "[60s, 5m]",
        "[60s]",
        Change(Item("policy", "retry_after"), "value", "1m, 5m", "1m"),
    ),
    "unknown codes": (
        "unknown_codes: fail",
        "unknown_codes: retry",
        Change(Item("policy", "unknown_codes"), "value", "fail", "retry"),
    ),
    "first poll": (
        "first: 5m",
        "first: 61s",
        Change(Item("policy", "poll_first"), "value", "5m", "61s"),
    ),
    "longest poll": (
        "longest: 1h",
        "longest: 3d",
        Change(Item("policy", "poll_longest"), "value", "1h", "3d"),
    ),
    "isolation": (
        "policies:\n",
        "policies:\n  isolation: by_campaign\n",
        Change(Item("policy", "isolation"), "value", "", "by_campaign"),
    ),
    "a rest state": (
        "b: {rest: true, ",
        "b: {",
        Change(Item("state", "b"), "rest", "true", "false", ("b",)),
    ),
    "a waiting state": (
        ", awaits_delivery: true",
        "",
        Change(Item("state", "b"), "awaits_delivery", "true", "false", ("b",)),
    ),
    "kind of an event": (
        "{kind: fact}",
        "{kind: outcome}",
        Change(Item("event", "DeliveryReported"), "kind", "fact", "outcome"),
    ),
    "patience of an effect": (
        "retry_for: 24h",
        "retry_for: 25h",
        Change(Item("effect", "Call"), "retry_for", "1d", "25h"),
    ),
    "failure of an effect": (
        "on_failure: hold",
        "on_failure: step_aside",
        Change(Item("effect", "Call"), "on_failure", "hold", "step_aside"),
    ),
    "another effect": (
        "effects:\n",
        "effects:\n  Write: {retry_for: 1h, on_failure: hold}\n",
        Change(Item("effect", "Write"), "added"),
    ),
    "length of a timer": (
        "after: 2h",
        "after: 3h",
        Change(Item("timer", "Tick"), "after", "2h", "3h", ("b", "c")),
    ),
    "states of a timer": (
        "states: [b, c]",
        "states: [b]",
        Change(Item("timer", "Tick"), "states", "b, c", "b", ("b", "c")),
    ),
    "restarts of a timer": (
        "[Go, DeliveryReported]}",
        "Go}",
        Change(Item("timer", "Tick"), "restarted_by", "DeliveryReported, Go", "Go", ("b", "c")),
    ),
    "target": (
        "is_green], to: b",
        "is_green], to: c",
        Change(GO_ROUND, "target", "b", "c", ("a",)),
    ),
    "guards": (
        "[is_round, is_green]",
        "[is_round]",
        Change(GO_ROUND, "guards", "is_round, is_green", "is_round", ("a",)),
    ),
    "order of guards": (
        "[is_round, is_green]",
        "[is_green, is_round]",
        Change(GO_ROUND, "guards", "is_round, is_green", "is_green, is_round", ("a",)),
    ),
    "order of actions": (
        "[call, rest]",
        "[rest, call]",
        Change(GO_ROUND, "actions", "call, rest", "rest, call", ("a",)),
    ),
    "a rule more": (
        "transitions:\n",
        "transitions:\n  - {id: more, from: b, on: Go}\n",
        Change(Item("transition", "more", "b", "Go"), "added", states=("b",)),
    ),
    "a source less": (
        "from: [b, c], on: Tick",
        "from: [b], on: Tick",
        Change(Item("transition", "tick", "c", "Tick"), "removed", states=("c",)),
    ),
}
SILENT = {
    "title of a state": ("title: start", "title: begin"),
    "group": ("group: x", "group: y"),
    "title of an event": ("title: move", "title: go"),
    "title of an effect": ("title: phone", "title: ring"),
    "title of the graph": ("version: 3", "version: 3\ntitle: Rich"),
    "version": ("version: 3", "version: 4"),
    "comment": ("states:\n", "states:  # all of them\n"),
    "order of states": (
        "  b: {rest: true, awaits_delivery: true}\n  c: {rest: true}\n",
        "  c: {rest: true}\n  b: {awaits_delivery: true, rest: true}\n",
    ),
    "order of sections": ("graph: rich\nversion: 3\n", "version: 3\ngraph: rich\n"),
    "order of rules that never meet": (WORD + TICK, TICK + WORD),
    "unit of a duration": ("after: 2h", "after: 120m"),
    "order of sources": ("from: [b, c]", "from: [c, b]"),
    "words for sources": ("from: [b, c]", "from: any but a"),
    "order of a timer's states": ("states: [b, c]", "states: [c, b]"),
    "order of restarts": ("[Go, DeliveryReported]}", "[DeliveryReported, Go]}"),
    "one name or a list of one": ("do: [call]}", "do: call}"),
    "a migration": ("states:\n", "migrate: [{from: 1, states: {z: a}}]\nstates:\n"),
    "a default in words": ("c: {rest: true}", "c: {rest: true, final: false}"),
}


def rich(text: str) -> StateGraph:
    return load_graph_text(text, SMALL_NAMES)


@pytest.mark.parametrize("what", DECIDING)
def test_the_hash_notices_what_decides_and_the_difference_names_it(what: str) -> None:
    old, new, change = DECIDING[what]
    before, after = rich(RICH), rich(changed(RICH, old, new))
    assert before.behaviour_hash != after.behaviour_hash
    assert diff(before, after).changes == (change,)


@pytest.mark.parametrize("what", SILENT)
def test_the_hash_ignores_what_does_not_decide(what: str) -> None:
    before, after = rich(RICH), rich(changed(RICH, *SILENT[what]))
    assert before.behaviour_hash == after.behaviour_hash
    assert diff(before, after).changes == ()


def test_the_order_of_rules_that_compete_decides() -> None:
    one = "  - {id: one, from: b, on: Go, when: is_green}\n"
    two = "  - {id: two, from: b, on: Go, when: is_round}\n"
    three = "  - {id: three, from: b, on: Go}\n"
    before, after = rich(RICH + one + two), rich(RICH + two + one + three)
    order = Item("order", "", "b", "Go")
    assert diff(before, after).changes == (
        Change(order, "ids", "one, two", "two, one", ("b",)),
        Change(Item("transition", "three", "b", "Go"), "added", states=("b",)),
    )


def test_another_initial_state_changes_both_states() -> None:
    after = changed(changed(SMALL, "initial: true, ", ""), "b: {", "b: {initial: true, ")
    assert diff(rich(SMALL), rich(after)).changes == (
        Change(Item("state", "a"), "initial", "true", "false", ("a",)),
        Change(Item("state", "b"), "initial", "false", "true", ("b",)),
    )


def test_a_state_that_becomes_final_is_changed() -> None:
    before = changed(SMALL, "  - {id: back, from: b, on: Go, to: a}\n", "")
    after = changed(before, "b: {", "b: {final: true, ")
    expected = (Change(Item("state", "b"), "final", "false", "true", ("b",)),)
    assert diff(rich(before), rich(after)).changes == expected


def test_a_state_can_be_renamed_only_by_removing_and_adding_it() -> None:
    after = SMALL.replace("b: {rest", "z: {rest").replace("to: b", "to: z").replace("m: b", "m: z")
    changes = diff(rich(SMALL), rich(after)).changes
    assert [(change.item, change.how) for change in changes] == [
        (Item("state", "b"), "removed"),
        (Item("state", "z"), "added"),
        (Item("transition", "back", "b", "Go"), "removed"),
        (Item("transition", "back", "z", "Go"), "added"),
        (Item("transition", "out", "a", "Go"), "target"),
    ]


def edited(edits: set[str]) -> StateGraph:
    text = RICH
    for what in sorted(edits):
        old, new = ALL[what]
        text = text.replace(old, new, 1)
    return rich(text)


ALL = {what: (old, new) for what, (old, new, _) in DECIDING.items()} | SILENT
edits = st.sets(st.sampled_from(sorted(ALL)), max_size=5)


@given(edits, edits)
def test_two_graphs_differ_exactly_if_their_hashes_do(some: set[str], others: set[str]) -> None:
    old, new = edited(some), edited(others)
    forth, back = diff(old, new).changes, diff(new, old).changes
    assert bool(forth) == (old.behaviour_hash != new.behaviour_hash)
    assert list(forth) == sorted(forth)
    mirrored = {"added": "removed", "removed": "added"}
    assert {(c.item, mirrored.get(c.how, c.how), c.after, c.before) for c in forth} == {
        (c.item, c.how, c.before, c.after) for c in back
    }


def test_a_difference_names_both_versions() -> None:
    newer = rich(changed(RICH, "version: 3", "version: 4"))
    found = diff(rich(RICH), newer)
    assert (found.old_version, found.new_version) == (3, 4)


def test_the_hash_of_a_graph_is_the_same_in_every_release() -> None:
    """Stores keep it: if this fails, conversations could no longer find their graph."""
    assert (
        rich(RICH).behaviour_hash
        == "2340c79ac8fc7d2dc6d44d9299a3ef9275da6b8254e471a467c4c067627e1f0a"
    )


def test_the_hash_does_not_depend_on_the_process() -> None:
    script = (
        "from graph_documents import SHIPPED_NAMES; from sms_fsm.graph import default_graph;"
        "print(default_graph(SHIPPED_NAMES).behaviour_hash)"
    )
    here = Path(__file__)
    paths = os.pathsep.join([str(here.parent), str(here.parents[2])])
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1
