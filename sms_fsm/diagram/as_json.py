"""JSON: the whole graph for other programs, every transition by itself, nothing folded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sms_fsm.diagram.order import in_document_order
from sms_fsm.diagram.view import Note, Overlay
from sms_fsm.graph.model import (
    EffectType,
    EventType,
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
        "policies": _policies(graph.policies),
        "states": [_state(state) for state in in_document_order(graph.states)],
        "events": [_event(event) for event in in_document_order(graph.events)],
        "effects": [_effect(effect) for effect in in_document_order(graph.effects)],
        "timers": [_timer(timer) for timer in in_document_order(graph.timers)],
        "transitions": [_transition(transition) for transition in graph.transitions],
        "migrations": [_migration(migration) for migration in graph.migrations],
    }
    if overlay:
        document["overlay"] = _overlay(overlay)
    return json.dumps(document, indent=2) + "\n"


def _policies(policies: Policies) -> dict[str, Any]:
    return {
        "isolation": policies.isolation,
        "closed_conversation": policies.closed_conversation,
        "retry_after": [wait.total_seconds() for wait in policies.retry_after],
        "unknown_codes": policies.unknown_codes,
        "poll_first": policies.poll_first.total_seconds(),
        "poll_longest": policies.poll_longest.total_seconds(),
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "title": state.title,
        "group": state.group,
        "initial": state.initial,
        "rest": state.rest,
        "final": state.final,
        "awaits_delivery": state.awaits_delivery,
        "line": state.mark.line,
    }


def _event(event: EventType) -> dict[str, Any]:
    return {
        "name": event.name,
        "kind": event.kind,
        "title": event.title,
        "line": event.mark.line,
    }


def _effect(effect: EffectType) -> dict[str, Any]:
    return {
        "name": effect.name,
        "title": effect.title,
        "retry_for": effect.retry_for.total_seconds(),
        "on_failure": effect.on_failure,
        "line": effect.mark.line,
    }


def _timer(timer: Timer) -> dict[str, Any]:
    return {
        "event": timer.event,
        "after": timer.after.total_seconds(),
        "states": list(timer.states),
        "restarted_by": list(timer.restarted_by),
        "line": timer.mark.line,
    }


def _transition(transition: Transition) -> dict[str, Any]:
    return {
        "id": transition.id,
        "source": transition.source,
        "event": transition.event,
        "guards": list(transition.guards),
        "target": transition.target,
        "actions": list(transition.actions),
        "line": transition.mark.line,
    }


def _migration(migration: Migration) -> dict[str, Any]:
    return {
        "from_version": migration.from_version,
        "states": dict(sorted(migration.states.items())),
        "line": migration.mark.line,
    }


def _overlay(overlay: Overlay) -> dict[str, Any]:
    return {
        "legend": list(overlay.legend),
        "states": [{"name": name} | _note(note) for name, note in sorted(overlay.states.items())],
        "moves": [move._asdict() | _note(note) for move, note in sorted(overlay.moves.items())],
        "ghost_states": [_state(state) for state in overlay.ghost_states],
        "ghost_transitions": [_transition(transition) for transition in overlay.ghost_transitions],
    }


def _note(note: Note) -> dict[str, Any]:
    return asdict(note)
