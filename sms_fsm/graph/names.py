"""The allow-list: every name of code that a graph document may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sms_fsm.graph.model import EventKind


@dataclass(frozen=True, slots=True)
class Names:
    """What the code behind a graph knows. Nothing outside it is ever looked up or imported.

    Args:
        guards: names of the registered guards.
        actions: for each registered action the names of the effects that it may plan.
        isolations: names of the registered isolation rules.
        events: every event that the engine raises; a document declares each of them.
        effects: every effect that the engine can carry out.
        kinds: the kind that a document must give an event; an event left out may have any.
    """

    guards: frozenset[str]
    actions: Mapping[str, tuple[str, ...]]
    isolations: frozenset[str]
    events: frozenset[str]
    effects: frozenset[str]
    kinds: Mapping[str, EventKind] = field(default_factory=dict)
