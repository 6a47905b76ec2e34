"""A graph diff laid over the new graph, with what is gone drawn once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sms_fsm.diagram.labels import SIGNS
from sms_fsm.diagram.view import Move, Note, Overlay, Tone
from sms_fsm.graph.model import StateGraph, Transition
from sms_fsm.graph.versions import Change, GraphDiff, Item

_Transitions: TypeAlias = Mapping[Item, Transition]
_ON_THE_PICTURE = frozenset({"state", "transition", "order"})


class _Finding(NamedTuple):
    """A note, and the state or the move that it belongs to."""

    place: str | Move
    note: Note


def diff_overlay(diff: GraphDiff, old: StateGraph, new: StateGraph) -> Overlay:
    """What a diff of two graphs says, to be laid over ``new``.

    What differs inside a state (events that move nothing, the order of transitions) is noted on
    the state. What belongs to no state, such as a policy or a timer, is told in the legend.
    """
    before, after = _by_item(old), _by_item(new)
    notes: dict[str | Move, list[Note]] = defaultdict(list)
    for change in diff.changes:
        for place, note in _findings(change, before, after):
            notes[place].append(note)
    return Overlay(
        states={
            place: _state_note(told) for place, told in notes.items() if isinstance(place, str)
        },
        moves={place: _joined(told) for place, told in notes.items() if isinstance(place, Move)},
        legend=tuple(_legend(diff)),
        ghost_states=tuple(state for name, state in old.states.items() if name not in new.states),
        ghost_transitions=tuple(_gone(diff, before)),
    )


def _by_item(graph: StateGraph) -> _Transitions:
    return {Item("transition", t.id, t.source, t.event): t for t in graph.transitions}


def _findings(change: Change, before: _Transitions, after: _Transitions) -> Iterator[_Finding]:
    item = change.item
    if item.part == "state":
        yield _Finding(item.name, _of_state(change))
    elif item.part == "order":
        text = f"{SIGNS[Tone.CHANGED]}order on {item.event}: {change.after}"
        yield _Finding(item.source, Note(Tone.CHANGED, (text,)))
    elif item.part == "transition":
        if change.how in {"removed", "target"}:
            yield _of_transition(before[item], Tone.REMOVED)
        if change.how in {"added", "target"}:
            yield _of_transition(after[item], Tone.ADDED)
        elif change.how != "removed":
            was = f"{change.how} were {change.before or 'none'}"
            yield _of_transition(after[item], Tone.CHANGED, was)


def _of_state(change: Change) -> Note:
    if change.how in {"added", "removed"}:
        return Note(Tone(change.how))
    return Note(Tone.CHANGED, (f"{change.how}: {change.before} to {change.after}",))


def _of_transition(transition: Transition, tone: Tone, *lines: str) -> _Finding:
    source, target, event = transition.source, transition.target, transition.event
    if source != target:
        return _Finding(Move(source, target, event), Note(tone, lines))
    text = f"{SIGNS[tone]}{transition.id} on {event}"
    return _Finding(source, Note(Tone.CHANGED, (text, *lines)))


def _state_note(notes: Sequence[Note]) -> Note:
    """A state that came or went says only that."""
    whole = (note for note in notes if note.tone in {Tone.ADDED, Tone.REMOVED})
    return next(whole, _joined(notes))


def _joined(notes: Sequence[Note]) -> Note:
    tones = {note.tone for note in notes}
    tone = tones.pop() if len(tones) == 1 else Tone.CHANGED
    return Note(tone, tuple(line for note in notes for line in note.lines))


def _gone(diff: GraphDiff, before: _Transitions) -> Iterator[Transition]:
    for change in diff.changes:
        if change.item.part == "transition" and change.how in {"removed", "target"}:
            yield before[change.item]


def _legend(diff: GraphDiff) -> Iterator[str]:
    signs = ", ".join(f"{sign}{tone}" for tone, sign in SIGNS.items())
    yield f"Version {diff.old_version} to {diff.new_version}: {signs}"
    for change in diff.changes:
        if change.item.part not in _ON_THE_PICTURE:
            yield f"{change.item.part} {change.item.name}: {_in_words(change)}"


def _in_words(change: Change) -> str:
    if change.how in {"added", "removed"}:
        return change.how
    return f"{change.how} {change.before or 'none'} to {change.after or 'none'}"
