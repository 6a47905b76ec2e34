"""Compares a recomputed step with the record of the same event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import orjson

from sms_fsm.graph import Mark, StateGraph
from sms_fsm.machine import Step

Record = Mapping[str, Any]


class _Logged(Protocol):
    def to_data(self) -> dict[str, Any]: ...


def differences(record: Record, step: Step, target: str, *, exact: bool) -> tuple[str, ...]:
    """The fields of the record that come out otherwise, the weightiest first.

    Args:
        target: the recorded state after the event, in the words of the replayed graph.
        exact: it is the graph that the event was recorded on, so that rule and guards count, too.
    """
    found = []
    if step.refused is not record["refused"]:
        found.append("refused")
    if step.after.state != target:
        found.append("target")
    if exact:
        found += _other_way(record, step)
    if not _same(step.planned, record["effects"]):
        found.append("effects")
    if not _same(step.cancelled, record["cancelled"]):
        found.append("cancelled")
    return tuple(found)


def _other_way(record: Record, step: Step) -> list[str]:
    rule = step.transition.id if step.transition else None
    found = [] if rule == record["transition"] else ["transition"]
    if [list(pair) for pair in step.asked] != record["guards"]:
        found.append("guards")
    return found


def _same(planned: Sequence[_Logged], recorded: list[Any]) -> bool:
    if not planned:
        return not recorded
    data = [item.to_data() for item in planned]
    # A host's action may plan values that JSON holds in another shape, such as tuples.
    return data == recorded or orjson.loads(orjson.dumps(data)) == recorded


def changed_effects(record: Record, step: Step) -> tuple[Counter[str], Counter[str]]:
    """Names of the effects that were added and removed; one that changed is both."""
    planned = Counter(_canonical(item.to_data()) for item in step.planned)
    recorded = Counter(_canonical(item) for item in record["effects"])
    return _named(planned - recorded), _named(recorded - planned)


def _canonical(effect: Any) -> bytes:
    return orjson.dumps(effect, option=orjson.OPT_SORT_KEYS)


def _named(effects: Counter[bytes]) -> Counter[str]:
    names: Counter[str] = Counter()
    for effect, count in effects.items():
        names[str(orjson.loads(effect)["name"])] += count
    return names


def rule_of(graph: StateGraph, record: Record, step: Step) -> tuple[str | None, Mark | None]:
    """The rule to look at: the one that applied, else the recorded one, else its event."""
    if step.transition is not None:
        return step.transition.id, step.transition.mark
    rules: Iterable[tuple[str, Mark]] = (
        (rule.id, rule.mark)
        for rule in graph.outgoing(step.before.state, step.event.name)
        if rule.id == record["transition"]
    )
    declared = graph.events.get(step.event.name)
    return next(iter(rules), (None, declared.mark if declared else None))
