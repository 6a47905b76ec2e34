"""What decides in a graph: its hash, and the differences between two of them.

Both are taken from the same facts, so two graphs differ exactly if their hashes do.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from sms_fsm.graph.model import EffectType, Policies, State, StateGraph, Timer, Transition

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


class Item(NamedTuple):
    """Something in a graph that decides; ``source`` and ``event`` belong to transitions alone."""

    part: str
    name: str
    source: str = ""
    event: str = ""


_Facts = Mapping[Item, Mapping[str, str]]


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One difference.

    Args:
        item: what differs. Its part is ``graph``, ``policy``, ``state``, ``event``, ``effect``,
            ``timer``, ``transition`` or ``order`` (of the transitions of one source and event).
        how: ``added``, ``removed``, or the field that changed, such as ``target`` or ``guards``.
        before, after: that field in the old and the new graph, as text.
        states: names of the states that it touches; none means every state.
    """

    item: Item
    how: str
    before: str = ""
    after: str = ""
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphDiff:
    """What decides differently in the new graph, sorted by part and name."""

    old_version: int
    new_version: int
    changes: tuple[Change, ...]


def behaviour_hash(graph: StateGraph) -> str:
    """SHA-256, as lower-case hex, of everything in a graph that decides.

    Titles, groups, comments, the order of keys and the version do not count; nor do migrations,
    which say how a conversation comes in and not how it goes on. Of the order of transitions only
    that among those of one source and event counts, since it alone decides which one runs.
    """
    facts = sorted([*item, sorted(fields.items())] for item, fields in _facts(graph).items())
    text = json.dumps(facts, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def diff(old: StateGraph, new: StateGraph) -> GraphDiff:
    """Everything that decides differently in ``new``; empty exactly if the hashes are equal."""
    before, after = _facts(old), _facts(new)
    changes = (
        _with_states(change, (old, new))
        for item in before.keys() | after.keys()
        for change in _changes(item, before.get(item), after.get(item))
    )
    return GraphDiff(old.version, new.version, tuple(sorted(changes)))


def _changes(
    item: Item, before: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> Iterator[Change]:
    if item.part == "order":
        yield from _reordering(item, before, after)
    elif before is None:
        yield Change(item, "added")
    elif after is None:
        yield Change(item, "removed")
    else:
        for name in before:
            if before[name] != after[name]:
                yield Change(item, name, before[name], after[name])


def _reordering(
    item: Item, before: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> Iterator[Change]:
    """Only what both graphs have can change places; the rest is added or removed anyway."""
    if before is None or after is None:
        return
    old, new = before["ids"].split(", "), after["ids"].split(", ")
    old_order = ", ".join(id_ for id_ in old if id_ in new)
    new_order = ", ".join(id_ for id_ in new if id_ in old)
    if old_order != new_order:
        yield Change(item, "ids", old_order, new_order)


def _with_states(change: Change, graphs: Iterable[StateGraph]) -> Change:
    item = change.item
    if item.part == "state":
        return replace(change, states=(item.name,))
    if item.part == "timer":
        timers = (graph.timers[item.name] for graph in graphs if item.name in graph.timers)
        touched = {state for timer in timers for state in timer.states}
        return replace(change, states=tuple(sorted(touched)))
    return replace(change, states=(item.source,) if item.source else ())


def _facts(graph: StateGraph) -> _Facts:
    return {
        Item("graph", "id"): {"value": graph.id},
        **_policies(graph.policies),
        **{Item("state", name): _state(state) for name, state in graph.states.items()},
        **{Item("event", name): {"kind": event.kind} for name, event in graph.events.items()},
        **{Item("effect", name): _effect(effect) for name, effect in graph.effects.items()},
        **{Item("timer", name): _timer(timer) for name, timer in graph.timers.items()},
        **{
            Item("transition", move.id, move.source, move.event): _transition(move)
            for move in graph.transitions
        },
        **_orders(graph.transitions),
    }


def _policies(policies: Policies) -> _Facts:
    values = {
        "retry_after": _joined(_length(wait) for wait in policies.retry_after),
        "unknown_codes": policies.unknown_codes,
        "poll_first": _length(policies.poll_first),
        "poll_longest": _length(policies.poll_longest),
        "closed_conversation": policies.closed_conversation,
        "isolation": policies.isolation or "",
        "opt_out_confirmation": policies.opt_out_confirmation,
    }
    return {Item("policy", name): {"value": value} for name, value in values.items()}


def _state(state: State) -> dict[str, str]:
    return {
        "initial": _flag(state.initial),
        "rest": _flag(state.rest),
        "final": _flag(state.final),
        "awaits_delivery": _flag(state.awaits_delivery),
    }


def _effect(effect: EffectType) -> dict[str, str]:
    return {"retry_for": _length(effect.retry_for), "on_failure": effect.on_failure}


def _timer(timer: Timer) -> dict[str, str]:
    return {
        "after": _length(timer.after),
        "states": _joined(sorted(timer.states)),
        "restarted_by": _joined(sorted(timer.restarted_by)),
    }


def _transition(move: Transition) -> dict[str, str]:
    return {
        "target": move.target,
        "guards": _joined(move.guards),
        "actions": _joined(move.actions),
    }


def _orders(transitions: Iterable[Transition]) -> _Facts:
    ids: dict[Item, list[str]] = defaultdict(list)
    for move in transitions:
        ids[Item("order", "", move.source, move.event)].append(move.id)
    return {item: {"ids": _joined(every)} for item, every in ids.items()}


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


def _flag(value: bool) -> str:  # noqa: FBT001  a formatter of one value has nothing to name
    return "true" if value else "false"


def _length(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    fits = (f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0)
    return next(fits, f"{seconds}s")
