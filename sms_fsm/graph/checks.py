"""Second stage of loading: is the graph as a whole one that a conversation can live in?

Each check takes a graph whose names are resolved and yields what is wrong with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from sms_fsm.errors import Problem
from sms_fsm.graph.codes import Code
from sms_fsm.graph.findings import listed
from sms_fsm.graph.model import EventKind, Mark, StateGraph, Transition
from sms_fsm.graph.names import Names

Check = Callable[[StateGraph, Names], Iterator[Problem]]
_Moves = Mapping[str, Iterable[str]]

DELIVERY_REPORTED = "DeliveryReported"
ALWAYS_ACCEPTED = (
    "MessageReceived",
    "ReplyRequested",
    "ConversationInitiated",
    "TransferRequested",
)
"""What a customer or the host may send at any moment, so that no state may be without a rule."""


def check_graph(graph: StateGraph, names: Names, *, is_whole: bool) -> Iterator[Problem]:
    """Every problem of a graph. What a graph lacks is judged only if all of it could be read."""
    for check in _OF_WHAT_IS_THERE + (_OF_WHAT_IS_MISSING if is_whole else ()):
        yield from check(graph, names)


def initial_states(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """Exactly one state must be initial."""
    initial = [state for state in graph.states.values() if state.initial]
    if not initial:
        first = next(iter(graph.states.values()))
        yield Code.NO_INITIAL.at(first.mark, "no state is initial")
    for state in initial[1:]:
        message = f"{state.name} is initial, but {initial[0].name} is too"
        yield Code.SEVERAL_INITIAL.at(state.mark, message)


def unreachable_states(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """Some chain of transitions must lead from the initial state to every other."""
    initial = {state.name for state in graph.states.values() if state.initial}
    reached = _reached(initial or graph.states, _moves(graph))
    for state in graph.states.values():
        if state.name not in reached:
            yield Code.UNREACHABLE.at(state.mark, f"no transition leads to {state.name}")


def states_without_way_to_rest(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """From every state a conversation must be able to come to rest or to an end."""
    moves = _moves(graph)
    calm = {state.name for state in graph.states.values() if state.rest or state.final}
    saved = _reached(calm, _reversed(moves))
    for state in graph.states.values():
        if state.name in saved:
            continue
        if moves.get(state.name):
            message = f"no way leads from {state.name} to a rest or final state"
            yield Code.NO_WAY_TO_REST.at(state.mark, message)
        else:
            message = f"nothing leads out of {state.name}, which is neither rest nor final"
            yield Code.TRAP.at(state.mark, message)


def exits_from_final(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """Nothing leaves a final state."""
    found: dict[tuple[str, Mark], list[str]] = defaultdict(list)
    for move in graph.transitions:
        if graph.states[move.source].final and move.target != move.source:
            found[move.id, move.mark].append(move.source)
    for (id_, mark), states in found.items():
        message = f"{id_} leaves final state {listed(dict.fromkeys(states))}"
        yield Code.EXIT_FROM_FINAL.at(mark, message)


def overlapping_transitions(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """No rule may stand behind one that always goes first."""
    found: dict[tuple[Code, str, str, Mark], list[Transition]] = defaultdict(list)
    for rivals in _by_source_and_event(graph).values():
        for code, earlier, later in _overlaps(rivals):
            found[code, earlier.id, later.id, later.mark].append(later)
    for (code, earlier_id, later_id, mark), moves in found.items():
        where = f"in {listed(dict.fromkeys(move.source for move in moves))}"
        what = f"on {listed(dict.fromkeys(move.event for move in moves))}"
        how = "has the same guards as" if code is Code.AMBIGUOUS else "never runs, because of"
        yield code.at(mark, f"{later_id} {how} {earlier_id} before it, {where} {what}")


def automatic_cycles(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """Timers alone must not drive a conversation round and round."""
    moves = _timed_moves(graph)
    while cycle := _cycle(moves):
        path = " -> ".join(cycle)
        yield Code.AUTOMATIC_CYCLE.at(graph.states[cycle[0]].mark, f"timers alone drive {path}")
        for state in cycle:
            moves.pop(state, None)


def endless_delivery_waits(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """A carrier's word must be able to end a wait for it."""
    reports = (move for move in graph.transitions if move.event == DELIVERY_REPORTED)
    ended = {report.source for report in reports if report.target != report.source}
    for state in graph.states.values():
        if state.awaits_delivery and state.name not in ended:
            message = f"{state.name} awaits delivery, but no {DELIVERY_REPORTED} leads out of it"
            yield Code.ENDLESS_DELIVERY_WAIT.at(state.mark, message)


def waits_without_timer(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """A state that is no place to stay should have a limit in time."""
    timed = {state for timer in graph.timers.values() for state in timer.states}
    for state in graph.states.values():
        if not (state.rest or state.final or state.name in timed):
            message = f"no timer limits the stay in {state.name}"
            yield Code.WAITS_WITHOUT_TIMER.at(state.mark, message)


def idle_timers(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """A timer should do something in each state that it runs in."""
    taken = {(move.source, move.event) for move in graph.transitions}
    for timer in graph.timers.values():
        deaf = [state for state in timer.states if (state, timer.event) not in taken]
        if deaf:
            message = f"{timer.event} runs in {listed(deaf)}, where no rule takes it"
            yield Code.IDLE_TIMER.at(timer.mark, message)


def unplanned_effects(graph: StateGraph, names: Names) -> Iterator[Problem]:
    """Each declared effect should be planned by some action of the graph."""
    used = {action for move in graph.transitions for action in move.actions}
    planned = {effect for action in used for effect in names.actions.get(action, ())}
    for effect in graph.effects.values():
        if effect.name not in planned:
            message = f"no action of this graph plans {effect.name}"
            yield Code.UNPLANNED_EFFECT.at(effect.mark, message)


def unused_commands(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """A command that no state takes is always refused."""
    used = {move.event for move in graph.transitions}
    for event in graph.events.values():
        if event.kind is EventKind.COMMAND and event.name not in used:
            message = f"no state takes command {event.name}"
            yield Code.UNUSED_COMMAND.at(event.mark, message)


def events_not_always_accepted(graph: StateGraph, _names: Names) -> Iterator[Problem]:
    """Texts and hand-overs should be taken in every state."""
    taken = {(move.source, move.event) for move in graph.transitions}
    used = {event for _, event in taken}
    for event in (graph.events[name] for name in ALWAYS_ACCEPTED if name in graph.events):
        deaf = [state for state in graph.states if (state, event.name) not in taken]
        if deaf and (event.name in used or event.kind is not EventKind.COMMAND):
            message = f"no rule takes {event.name} in {listed(deaf)}"
            yield Code.NOT_ALWAYS_ACCEPTED.at(event.mark, message)


_OF_WHAT_IS_THERE: tuple[Check, ...] = (
    exits_from_final,
    overlapping_transitions,
    automatic_cycles,
)
_OF_WHAT_IS_MISSING: tuple[Check, ...] = (
    initial_states,
    unreachable_states,
    states_without_way_to_rest,
    endless_delivery_waits,
    waits_without_timer,
    idle_timers,
    unplanned_effects,
    unused_commands,
    events_not_always_accepted,
)


def _moves(graph: StateGraph) -> dict[str, set[str]]:
    moves: dict[str, set[str]] = defaultdict(set)
    for move in graph.transitions:
        if move.source != move.target:
            moves[move.source].add(move.target)
    return moves


def _reversed(moves: _Moves) -> dict[str, set[str]]:
    back: dict[str, set[str]] = defaultdict(set)
    for source, targets in moves.items():
        for target in targets:
            back[target].add(source)
    return back


def _reached(starts: Iterable[str], moves: _Moves) -> set[str]:
    reached, open_ = set(starts), [*starts]
    while open_:
        new = set(moves.get(open_.pop(), ())) - reached
        reached |= new
        open_.extend(new)
    return reached


def _by_source_and_event(graph: StateGraph) -> dict[tuple[str, str], list[Transition]]:
    groups: dict[tuple[str, str], list[Transition]] = defaultdict(list)
    for move in graph.transitions:
        groups[move.source, move.event].append(move)
    return groups


def _overlaps(rivals: Iterable[Transition]) -> Iterator[tuple[Code, Transition, Transition]]:
    free: list[tuple[frozenset[str], Transition]] = []
    for later in rivals:
        guards = frozenset(later.guards)
        winner = next((pair for pair in free if pair[0] <= guards), None)
        if winner is None:
            free.append((guards, later))
        else:
            yield Code.AMBIGUOUS if winner[0] == guards else Code.SHADOWED, winner[1], later


def _timed_moves(graph: StateGraph) -> dict[str, list[str]]:
    """Unguarded moves that a timer makes; one that stays counts if it starts its own timer."""
    moves: dict[str, list[str]] = defaultdict(list)
    for move in graph.transitions:
        timer = graph.timers.get(move.event)
        if timer is None or move.guards or move.source not in timer.states:
            continue
        if move.target != move.source or move.event in timer.restarted_by:
            moves[move.source].append(move.target)
    return moves


def _cycle(moves: _Moves) -> list[str] | None:
    try:
        TopologicalSorter(moves).prepare()
    except CycleError as error:
        backwards: list[str] = error.args[1]
        return backwards[::-1]
    return None
