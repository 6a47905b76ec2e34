"""Graphs to draw: one like a real conversation, hostile ones, and any at all."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from sms_fsm.graph import (
    EventKind,
    EventType,
    Mark,
    Policies,
    State,
    StateGraph,
    Timer,
    Transition,
)

HOSTILE = (
    '"quoted" and \\ back\\nslash\\l',
    "two\nlines\r\nthree",
    "<b>bold</b><script>alert(1)</script>",
    "a --> b : c; d",
    '%%{init: {"theme":"dark"}}%%',
    "#quot; &lt; &amp; &#60; #60;",
    '{"x": [1]} | `code` $$x$$',
    "**bold** //it// __u__ ~~s~~ --s-- [[http://x y]]",
    "@enduml",
    "!include /etc/passwd",
    "end note",
    "\u202egnirts \x00\x1b\ud800 \ufffe",
    "style x fill:#f00;",
    "日本語 שלום 🙂",
    "<U+0041> <color:red>x",
    "]] */ <!-- ]]> <?xml?> %}",
)


def graph_of(
    states: Iterable[State],
    transitions: Iterable[Transition],
    *,
    title: str = "A small life",
    timers: Iterable[Timer] = (),
    quiet: Iterable[str] = (),
) -> StateGraph:
    """A graph of these parts; events are taken from the transitions, parts marked in order."""
    moves = tuple(transitions)
    due = {timer.event: timer for timer in timers}
    events = dict.fromkeys([*(move.event for move in moves), *quiet])
    return StateGraph(
        id="small",
        version=3,
        title=title,
        states={s.name: replace(s, mark=Mark(n)) for n, s in enumerate(states, 1)},
        events={
            name: EventType(name, EventKind.TIMER if name in due else EventKind.FACT, mark=Mark(n))
            for n, name in enumerate(events, 1)
        },
        effects={},
        timers=due,
        transitions=moves,
        policies=Policies(),
        migrations=(),
        behaviour_hash="0123456789abcdef" * 4,
        document="",
    )


def life() -> StateGraph:
    """Five states in two groups; any but ``new`` sleeps when idle; texts stay where they are."""
    names = ("new", "open", "waiting", "done", "asleep")
    states = (
        State("new", "not yet", "start", initial=True, rest=True),
        State("open", "talking", "talk"),
        State("waiting", "for the carriers", "talk", awaits_delivery=True),
        State("done", "all said", "talk", rest=True),
        State("asleep", "quiet", "start", rest=True),
    )
    moves = (
        Transition("begin", "new", "Opened", "open", ("is_fresh",), ("greet", "route")),
        Transition("send", "open", "Posted", "waiting", (), ("poll",)),
        Transition("send", "done", "Posted", "waiting", (), ("poll",)),
        Transition("end", "waiting", "Reported", "done"),
        Transition("end", "waiting", "Died", "done"),
        Transition("wake", "asleep", "Received", "open"),
        *(Transition("idle", name, "Idle", "asleep") for name in names[1:4]),
        *(Transition("text", name, "Received", name, (), ("post",)) for name in names[1:4]),
        Transition("text-waits", "asleep", "Posted", "asleep"),
    )
    idle = Timer("Idle", timedelta(hours=72), names[1:4])
    return graph_of(states, moves, timers=(idle,), quiet=("Lost",))


def hostile_graph() -> StateGraph:
    """Every text that a document may choose is hostile; names of states and events are plain."""
    states = [
        State(f"s{n}", text, HOSTILE[(n + 3) % len(HOSTILE)], initial=n == 0, final=n == 4)
        for n, text in enumerate(HOSTILE)
    ]
    moves = [
        Transition(text, f"s{n}", f"Event{n}", f"s{(n + 1) % len(HOSTILE)}", (text,), (text,))
        for n, text in enumerate(HOSTILE)
    ]
    return graph_of(states, moves, title=HOSTILE[2] + HOSTILE[0])


def shuffled(graph: StateGraph) -> StateGraph:
    """The same graph, its mappings in the opposite order."""
    return replace(
        graph,
        states=dict(reversed(tuple(graph.states.items()))),
        events=dict(reversed(tuple(graph.events.items()))),
        timers=dict(reversed(tuple(graph.timers.items()))),
    )


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)


@st.composite
def graphs(draw: st.DrawFn) -> StateGraph:
    """Any small graph with names that a document may use, keywords of the formats included."""
    words = st.sampled_from(["end", "note", "state", "style", "graph", "node", "any1", "start"])
    states = draw(st.lists(names | words, min_size=1, max_size=7, unique=True))
    events = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    groups = draw(st.lists(st.sampled_from(["", "one", "two"]), min_size=7, max_size=7))
    some_state, some_event = st.sampled_from(states), st.sampled_from(events)
    moves = draw(st.lists(st.tuples(some_state, some_event, some_state), max_size=15))
    return graph_of(
        [State(n, group=g, initial=n == states[0]) for n, g in zip(states, groups, strict=False)],
        [Transition("t", source, event, target) for source, event, target in moves],
        quiet=events,
    )
