"""Figures of what this process did: attempts at effects, and moves of the machine."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from sms_fsm.machine import Step

_SUCCESSES: Mapping[str, str] = {
    "ConversationOpened": "OpenConversation",
    "ConversationReactivated": "ReactivateConversation",
    "MessagePosted": "PostMessage",
    "RoutingUpdated": "UpdateRouting",
    "FallbackSent": "SendFallback",
}
"""Events that say that an effect was carried out, and which."""

_SETBACKS: Mapping[str, str] = {
    "EffectDelayed": "retryable",
    "AnswerLost": "ambiguous",
    "EffectDied": "dead",
    "WorkBlocked": "blocked",
}
"""Events that say that an effect was not carried out, and how."""

_FOUND = ("found", "look-up")
"""How an event says that a lost answer's call turned out to have been applied."""


class StepFigures:
    """Counts steps as the engine makes them; see `Engine.watch`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "smsfsm_effect_attempts",
            "Effects that this process tried, by outcome.",
            ["op", "outcome"],
            registry=registry,
        )
        self._transitions = Counter(
            "smsfsm_transition",
            "Moves that this process recorded, by version of the graph.",
            ["graph", "from", "to"],
            registry=registry,
        )
        self._success = Gauge(
            "smsfsm_last_success_timestamp_seconds",
            "When this process last carried such an effect out.",
            ["op"],
            registry=registry,
        )

    def stepped(self, step: Step) -> None:
        """Count one step."""
        before, after = step.before, step.after
        if before.state != after.state:
            self._transitions.labels(str(before.graph_version), before.state, after.state).inc()
        name, data = step.event.name, step.event.data
        if name in _SUCCESSES:
            outcome = "reconciled_found" if data.get("how") in _FOUND else "ok"
            self._attempts.labels(_SUCCESSES[name], outcome).inc()
            self._success.labels(_SUCCESSES[name]).set_to_current_time()
        elif name in _SETBACKS:
            self._attempts.labels(data["name"], _SETBACKS[name]).inc()
