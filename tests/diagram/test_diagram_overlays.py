"""Overlays light a path, warm what is busy and mark what a diff says, in every format."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sms_fsm.diagram import (
    Arrow,
    DiagramView,
    Dwell,
    Overlay,
    Tone,
    diff_overlay,
    heat_overlay,
    path_overlay,
    render,
    view_of,
)
from sms_fsm.graph import Policies, State, StateGraph, Transition, diff

from .diagram_graphs import life

START = datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC)


def steps(*moves: tuple[str, str, str], apart: int = 1) -> list[tuple[str, str, str, datetime]]:
    return [(*move, START + timedelta(seconds=apart * n)) for n, move in enumerate(moves)]


def toned(view: DiagramView, tone: Tone) -> dict[tuple[str, str], Arrow]:
    names = {node.id: node.name for node in view.nodes}
    return {(names[a.source], names[a.target]): a for a in view.arrows if a.tone is tone}


def tones(view: DiagramView) -> dict[str, Tone]:
    return {node.name: node.note.tone for node in view.nodes if not node.pseudo}


PATH = steps(
    ("new", "open", "Opened"),
    ("open", "open", "Received"),
    ("open", "open", "Received"),
    ("open", "asleep", "Idle"),
)


def test_a_path_lights_its_moves_with_their_order_and_times() -> None:
    view = view_of(life(), path_overlay(life(), PATH))
    lit = toned(view, Tone.LIT)
    assert lit["new", "open"].lines[0].note.lines == ("1 · 23:59:30",)
    assert lit["open", "asleep"].lines[0].note.lines == ("2 · 23:59:33",)
    assert len(lit) == 2


def test_a_path_marks_the_present_state_and_lets_the_rest_step_back() -> None:
    view = view_of(life(), path_overlay(life(), PATH))
    assert tones(view) == {
        "new": Tone.LIT,
        "open": Tone.LIT,
        "asleep": Tone.PRESENT,
        "waiting": Tone.DIM,
        "done": Tone.DIM,
    }
    assert toned(view, Tone.DIM)


def test_a_lit_move_is_drawn_apart_from_the_stand_in_that_covers_it() -> None:
    view = view_of(life(), path_overlay(life(), PATH))
    assert "any state but new" in {node.name for node in view.nodes}
    assert toned(view, Tone.LIT)["open", "asleep"].extra


def test_events_that_moved_nothing_are_counted_on_their_state() -> None:
    overlay = path_overlay(life(), PATH)
    assert overlay.states["open"].lines == ("stayed for 2 events",)


def test_a_path_over_several_days_tells_the_day_with_each_time() -> None:
    way = steps(("new", "open", "Opened"), ("open", "waiting", "Posted"), apart=60)
    (first, second) = path_overlay(life(), way).moves.values()
    assert (first.lines, second.lines) == (("1 · 2026-03-01 23:59",), ("2 · 2026-03-02 00:00",))


def test_times_of_other_zones_are_told_in_utc() -> None:
    berlin = START.astimezone(tz=None)
    (note,) = path_overlay(life(), [("new", "open", "Opened", berlin)]).moves.values()
    assert note.lines == ("1 · 23:59:30",)


def test_a_move_that_ran_often_lists_its_first_times_and_the_last() -> None:
    laps = [("open", "waiting", "Posted"), ("waiting", "done", "Reported")] * 5
    note = path_overlay(life(), steps(*laps)).moves["open", "waiting", "Posted"]  # type: ignore[index]  # a move is a tuple
    assert note.lines == (
        "1 · 23:59:30",
        "3 · 23:59:32",
        "… 5 in all, last 9 · 23:59:38",
    )


def test_a_path_without_events_is_at_the_initial_state() -> None:
    assert tones(view_of(life(), path_overlay(life(), ())))["new"] is Tone.PRESENT


def test_a_path_on_an_older_graph_is_drawn_with_what_this_one_lacks() -> None:
    way = steps(("new", "limbo", "Old"), ("limbo", "open", "Migrated"))
    view = view_of(life(), path_overlay(life(), way))
    assert set(toned(view, Tone.LIT)) == {("new", "limbo"), ("limbo", "open")}


HOUR = timedelta(hours=1)
COUNTS = {
    ("new", "open", "Opened"): 5000,
    ("open", "asleep", "Idle"): 30,
    ("done", "asleep", "Idle"): 12,
    ("waiting", "done", "Reported"): 1,
    ("open", "waiting", "Posted"): 0,
}
DWELLS = {"open": Dwell(timedelta(seconds=90), HOUR), "waiting": Dwell(HOUR, 36 * HOUR)}


def test_heat_counts_moves_and_adds_up_what_a_stand_in_gathers() -> None:
    hot = toned(view_of(life(), heat_overlay(life(), COUNTS, DWELLS)), Tone.HEAT)
    assert {ends: arrow.count for ends, arrow in hot.items()} == {
        ("new", "open"): 5000,
        ("any state but new", "asleep"): 42,
        ("waiting", "done"): 1,
    }


def test_heat_draws_busy_arrows_thicker_and_what_never_ran_in_grey() -> None:
    view = view_of(life(), heat_overlay(life(), COUNTS, DWELLS))
    assert ("open", "waiting") in toned(view, Tone.DIM)
    dot = str(render(life(), "dot", overlay=heat_overlay(life(), COUNTS, DWELLS)))
    thickness = {
        line.split(" [")[0].strip(): float(line.split('penwidth="')[1].split('"')[0])
        for line in dot.splitlines()
        if " -> " in line and "penwidth" in line
    }
    assert thickness["new -> open"] > thickness["any1 -> asleep"] > thickness["waiting -> done"]


def test_heat_tells_how_long_states_held_and_the_longest_is_hottest() -> None:
    overlay = heat_overlay(life(), COUNTS, DWELLS)
    assert overlay.states["open"].lines == ("p50 1.5 min · p95 1 h",)
    assert overlay.states["waiting"].lines == ("p50 1 h · p95 1.5 d",)
    assert overlay.states["waiting"].heat == 1.0
    assert 0 < overlay.states["open"].heat < 1


def test_heat_of_nothing_is_a_picture_all_in_grey() -> None:
    view = view_of(life(), heat_overlay(life(), {}, {}))
    assert set(tones(view).values()) == {Tone.DIM}


def candidate() -> StateGraph:
    old = life()
    kept = [move for move in old.transitions if move.id not in {"wake", "text-waits"}]
    changed = [
        replace(move, guards=("is_late",)) if move.event == "Reported" else move for move in kept
    ]
    moved = [replace(m, target="done") if m.id == "begin" else m for m in changed]
    extra = [
        Transition("escalate", "done", "Escalated", "human"),
        Transition("settle", "human", "Settled", "done"),
        Transition("idle", "human", "Idle", "asleep"),
        Transition("text", "human", "Received", "human", (), ("post",)),
    ]
    return replace(
        old,
        version=4,
        states={**old.states, "human": State("human", "someone looks", "talk")},
        transitions=(*moved, *extra),
        policies=replace(Policies(), poll_first=timedelta(seconds=60)),
    )


def diff_view() -> DiagramView:
    old, new = life(), candidate()
    return view_of(new, diff_overlay(diff(old, new), old, new))


def test_a_diff_shows_what_is_added_and_draws_what_is_gone_once_more() -> None:
    view = diff_view()
    assert set(toned(view, Tone.ADDED)) == {("done", "human"), ("human", "done"), ("new", "done")}
    assert set(toned(view, Tone.REMOVED)) == {("asleep", "open"), ("new", "open")}
    assert tones(view)["human"] is Tone.ADDED


def test_a_diff_tells_what_a_changed_transition_was() -> None:
    (line,) = [
        line
        for arrow in diff_view().arrows
        for line in arrow.lines
        if line.note.tone is Tone.CHANGED
    ]
    assert (line.events, line.note.lines) == (("Reported",), ("guards were none",))


def test_a_diff_notes_on_a_state_what_changes_inside_it() -> None:
    notes = {node.name: node.note for node in diff_view().nodes}
    assert notes["asleep"].tone is Tone.CHANGED
    assert [line[2:] for line in notes["asleep"].lines] == ["text-waits on Posted"]
    assert notes["open"].tone is Tone.DIM


def test_a_diff_tells_in_the_legend_what_no_state_or_arrow_can_show() -> None:
    version, *others = diff_view().legend
    assert version.startswith("Version 3 to 4: + added")
    assert "policy poll_first: value 5m to 1m" in others


def test_a_new_state_does_not_break_a_stand_in_apart() -> None:
    view = diff_view()
    assert [node.name for node in view.nodes if node.pseudo] == ["any state but new"]


def test_a_new_rule_of_almost_all_states_is_one_new_arrow() -> None:
    old = life()
    rule = [Transition("drop", name, "Dropped", "new") for name in old.states if name != "new"]
    new = replace(old, version=4, transitions=(*old.transitions, *rule))
    view = view_of(new, diff_overlay(diff(old, new), old, new))
    assert set(toned(view, Tone.ADDED)) == {("any state", "new")}


def test_a_removed_state_is_drawn_as_gone_and_no_stand_in_mentions_it() -> None:
    old, new = candidate(), life()
    view = view_of(new, diff_overlay(diff(old, new), old, new))
    assert tones(view)["human"] is Tone.REMOVED
    assert [node.name for node in view.nodes if node.pseudo] == ["any state but new"]


@pytest.mark.parametrize("form", ["mermaid", "dot", "plantuml", "svg"])
def test_every_format_shows_notes_and_legend(form: str) -> None:
    old, new = life(), candidate()
    for graph, overlay, shown in (
        (old, path_overlay(old, PATH), ["1 · 23", "stayed for 2 events", "one conversation"]),
        (old, heat_overlay(old, COUNTS, DWELLS), ["× 5,000", "p50 1", "never happened"]),  # noqa: RUF001 - times
        (
            new,
            diff_overlay(diff(old, new), old, new),
            ["+ human", "guards were none", "poll_first"],
        ),
    ):
        picture = str(render(graph, form, overlay=overlay)).replace("#95;", "_")
        assert [text for text in shown if text not in picture] == []


@pytest.mark.parametrize("form", ["mermaid", "dot", "plantuml", "json"])
def test_an_overlay_without_notes_only_dims(form: str) -> None:
    assert render(life(), form, overlay=Overlay()) != render(life(), form)


def test_json_carries_the_overlay_as_data() -> None:
    picture = str(render(life(), "json", overlay=heat_overlay(life(), COUNTS, DWELLS)))
    assert '"overlay"' in picture
    assert '"count": 5000' in picture
    assert '"overlay"' not in str(render(life(), "json"))
