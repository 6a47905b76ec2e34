"""Many transitions become few arrows, and none of them gets lost."""

from hypothesis import given

from sms_fsm.diagram import DiagramView, view_of
from sms_fsm.graph import State, StateGraph, Transition

from .diagram_graphs import graph_of, graphs, life, shuffled


def arrows(view: DiagramView) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    names = {node.id: node.name for node in view.nodes}
    return {
        (names[arrow.source], names[arrow.target]): [line.events for line in arrow.lines]
        for arrow in view.arrows
    }


def star(*sources: str) -> StateGraph:
    """Eight states, of which these go to ``hub`` by one rule."""
    states = [State("hub", initial=True), *(State(f"s{n}") for n in range(7))]
    return graph_of(states, [Transition("in", source, "Go", "hub") for source in sources])


def test_moves_between_the_same_states_become_one_arrow_with_a_line_for_each_rule() -> None:
    graph = graph_of(
        [State("a", initial=True), State("b")],
        [
            Transition("x", "a", "Go", "b", ("is_green",)),
            Transition("y", "a", "Go", "b", (), ("call",)),
            Transition("z", "b", "Go", "a"),
        ],
    )
    assert arrows(view_of(graph)) == {("a", "b"): [("Go",), ("Go",)], ("b", "a"): [("Go",)]}


def test_events_with_the_same_guards_and_actions_share_a_line() -> None:
    assert arrows(view_of(life()))["waiting", "done"] == [("Reported", "Died")]


def test_what_leads_from_almost_all_states_to_one_starts_at_a_stand_in() -> None:
    drawn = arrows(view_of(life()))
    assert drawn["any state but new", "asleep"] == [("Idle",)]
    assert not [source for source, target in drawn if target == "asleep" and "any" not in source]


def test_a_stand_in_names_every_state_that_it_does_not_stand_for() -> None:
    all_but_one = view_of(star("s0", "s1", "s2", "s3", "s4", "s5"))
    assert list(arrows(all_but_one)) == [("any state but s6", "hub")]
    everyone = view_of(star("s0", "s1", "s2", "s3", "s4", "s5", "s6"))
    assert list(arrows(everyone)) == [("any state", "hub")]


def test_what_leads_from_only_some_states_is_drawn_from_each() -> None:
    some = ["s0", "s1", "s2", "s3", "s4"]
    assert list(arrows(view_of(star(*some)))) == [(source, "hub") for source in some]


def test_what_moves_nothing_is_left_out_unless_asked_for() -> None:
    short, full = view_of(life()), view_of(life(), internal=True)
    assert not any(node.inner for node in short.nodes)
    inner = {node.name: [line.events for line in node.inner] for node in full.nodes}
    assert inner["open"] == [("Received",)]
    assert inner["asleep"] == [("Posted",)]
    assert arrows(full) == arrows(short)


def test_events_that_no_arrow_shows_are_named_apart() -> None:
    assert view_of(life()).quiet == ("Lost",)


def test_a_timer_tells_its_wait() -> None:
    (line,) = next(arrow for arrow in view_of(life()).arrows if arrow.target == "asleep").lines
    assert (line.timer, line.after) == (True, "72h")


def test_a_view_keeps_the_order_of_the_document_whatever_the_order_of_its_mappings() -> None:
    assert view_of(shuffled(life()), internal=True) == view_of(life(), internal=True)


@given(graphs())
def test_every_transition_is_in_the_view_once_stand_ins_are_spelled_out(graph: StateGraph) -> None:
    view = view_of(graph, internal=True)
    named = {node.id: node for node in view.nodes}
    states = {node.name for node in view.nodes if not node.pseudo}

    def sources(id_: str, target: str) -> set[str]:
        node = named[id_]
        if not node.pseudo:
            return {node.name}
        missing = node.name.removeprefix("any state").removeprefix(" but ").split(", ")
        return states - {target} - set(missing)

    shown = {
        (source, event, named[arrow.target].name)
        for arrow in view.arrows
        for source in sources(arrow.source, named[arrow.target].name)
        for line in arrow.lines
        for event in line.events
    }
    stays = {
        (node.name, event, node.name)
        for node in view.nodes
        for line in node.inner
        for event in line.events
    }
    assert shown | stays == {(t.source, t.event, t.target) for t in graph.transitions}


@given(graphs())
def test_ids_are_unique_identifiers(graph: StateGraph) -> None:
    ids = [node.id for node in view_of(graph).nodes]
    assert len(set(ids)) == len(ids)
    assert all(id_.isidentifier() and id_.isascii() for id_ in ids)
