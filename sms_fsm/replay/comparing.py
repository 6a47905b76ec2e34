"""Compares a recomputed step with the record of the same event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import orjson

from sms_fsm.graph import Mark, StateGraph
from sms_fsm.machine import Asked, Step
from sms_fsm.replay.lines import Entry, Record, shown
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.replay.verdicts import Bucket, Divergence


class _Logged(Protocol):
    def to_data(self) -> dict[str, Any]: ...

    def logs_as(self, data: Any) -> bool: ...


def agrees(record: Record, step: Step, target: str, *, exact: bool) -> bool:
    """Whether nothing comes out otherwise, which is what one expects of most records.

    Args:
        target: the recorded state after the event, in the words of the replayed graph.
        exact: it is the graph that the event was recorded on, so that rule and guards count, too.
    """
    return (
        step.after.state == target
        and step.refused is record.refused
        and _same(step.planned, record.effects)
        and _same(step.cancelled, record.cancelled)
        and (not exact or (_rule(step) == record.transition and _asked(record, step)))
    )


def differences(record: Record, step: Step, target: str, *, exact: bool) -> tuple[str, ...]:
    """The fields of the record that come out otherwise, the weightiest first."""
    fields = {
        "refused": step.refused is record.refused,
        "target": step.after.state == target,
        "transition": not exact or _rule(step) == record.transition,
        "guards": not exact or _asked(record, step),
        "effects": _same(step.planned, record.effects),
        "cancelled": _same(step.cancelled, record.cancelled),
    }
    return tuple(name for name, agreed in fields.items() if not agreed)


def _rule(step: Step) -> str | None:
    return step.transition.id if step.transition else None


def _asked(record: Record, step: Step) -> bool:
    recorded: list[Any] = record.guards
    return _listed(step.asked) == recorded if step.asked else not recorded


@lru_cache
def _listed(asked: Asked) -> list[list[Any]]:
    """As the log holds it; few sets of answers are asked for again and again."""
    return [list(pair) for pair in asked]


def _same(planned: Sequence[_Logged], recorded: list[Any]) -> bool:
    if not planned:
        return not recorded
    if len(planned) != len(recorded):
        return False
    for item, data in zip(planned, recorded, strict=True):
        if not item.logs_as(data):
            return _json(planned) == recorded
    return True


def _json(planned: Sequence[_Logged]) -> list[Any]:
    """As JSON holds it: a host's action may plan values of another shape, such as tuples."""
    data: list[Any] = orjson.loads(orjson.dumps([item.to_data() for item in planned]))
    return data


def _changed_effects(record: Record, step: Step) -> tuple[Counter[str], Counter[str]]:
    """Names of the effects that were added and removed; one that changed is both."""
    planned = Counter(_canonical(item.to_data()) for item in step.planned)
    recorded = Counter(_canonical(item) for item in record.effects)
    return _named(planned - recorded), _named(recorded - planned)


def _canonical(effect: Any) -> bytes:
    return orjson.dumps(effect, option=orjson.OPT_SORT_KEYS)


def _named(effects: Counter[bytes]) -> Counter[str]:
    names: Counter[str] = Counter()
    for effect, count in effects.items():
        names[str(orjson.loads(effect)["name"])] += count
    return names


def _rule_of(graph: StateGraph, record: Record, step: Step) -> tuple[str | None, Mark | None]:
    """The rule to look at: the one that applied, else the recorded one, else its event."""
    if step.transition is not None:
        return step.transition.id, step.transition.mark
    rules: Iterable[tuple[str, Mark]] = (
        (rule.id, rule.mark)
        for rule in graph.outgoing(step.before.state, step.event.name)
        if rule.id == record.transition
    )
    declared = graph.events.get(step.event.name)
    return next(iter(rules), (None, declared.mark if declared else None))


def divergence(
    machine: ReplayMachine, entry: Entry, step: Step, differing: tuple[str, ...]
) -> Divergence:
    """The value that says how a step came out otherwise."""
    record, graph = entry.record, machine.graph
    added, removed = _changed_effects(record, step)
    rule, mark = _rule_of(graph, record, step)
    return Divergence(
        line=entry.line,
        conversation=shown(record.conversation) or "",
        seq=record.seq,
        event=record.name,
        bucket=_bucket(differing, step),
        differs=differing,
        source=record.source,
        expected=record.target,
        actual=step.after.state if step.before.state in graph.states else None,
        rule=rule,
        file=graph.file,
        yaml_line=mark.line if mark else None,
        added=tuple(added.elements()),
        removed=tuple(removed.elements()),
    )


def _bucket(differing: tuple[str, ...], step: Step) -> Bucket:
    if "states" in differing:
        return Bucket.STATE_MISSING
    if step.refused and "refused" in differing:
        return Bucket.REFUSED
    effects_alone = {"effects", "cancelled"} >= set(differing)
    return Bucket.OTHER_EFFECTS if effects_alone else Bucket.DIVERGED
