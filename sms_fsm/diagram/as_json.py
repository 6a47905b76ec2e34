"""JSON: the whole graph for other programs, every transition by itself, nothing folded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from sms_fsm.diagram.order import in_document_order
from sms_fsm.diagram.view import Note, Overlay
from sms_fsm.graph.model import (
    EffectType,
    EventType,
    Mark,
    Migration,
    Policies,
    State,
    StateGraph,
    Timer,
    Transition,
)


def to_json(graph: StateGraph, overlay: Overlay | None = None) -> str:
    """The graph as JSON, in the order of the document; durations are seconds.

    ``line`` is where the document says so. The order of transitions of one source and event is
    the order in which they are tried.
    """
    document: dict[str, Any] = {
        "graph": graph.id,
        "version": graph.version,
        "title": graph.title,
        "behaviour_hash": graph.behaviour_hash,
        "policies": _record(graph.policies),
        "states": _records(in_document_order(graph.states)),
        "events": _records(in_document_order(graph.events)),
        "effects": _records(in_document_order(graph.effects)),
        "timers": _records(in_document_order(graph.timers)),
        "transitions": _records(graph.transitions),
        "migrations": _records(graph.migrations),
    }
    if overlay:
        document["overlay"] = _overlay(overlay)
    return json.dumps(document, indent=2) + "\n"


_Part = EffectType | EventType | Migration | Note | Policies | State | Timer | Transition


def _records(parts: Iterable[_Part]) -> list[dict[str, Any]]:
    return [_record(part) for part in parts]


def _record(part: _Part) -> dict[str, Any]:
    """Every field by its name in the model, so that a new one cannot be forgotten here."""
    named = {one.name: getattr(part, one.name) for one in fields(part)}
    return dict(_entry(name, value) for name, value in named.items())


def _entry(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, Mark):
        return "line", value.line
    return name, _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value


def _overlay(overlay: Overlay) -> dict[str, Any]:
    return {
        "legend": list(overlay.legend),
        "states": [{"name": name} | _record(note) for name, note in sorted(overlay.states.items())],
        "moves": [move._asdict() | _record(note) for move, note in sorted(overlay.moves.items())],
        "ghost_states": _records(overlay.ghost_states),
        "ghost_transitions": _records(overlay.ghost_transitions),
    }
