"""A graph document as it was read: names in their places, not yet looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sms_fsm.graph.model import EffectType, EventType, Mark, Policies, State


@dataclass(frozen=True, slots=True)
class Name:
    """A name and where it stands."""

    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Choice:
    """States that a rule or a timer names: these, or every state but these."""

    mark: Mark
    names: tuple[Name, ...]
    all_but: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``transitions``; it stands for a transition per source and event."""

    id: Name
    sources: Choice
    events: tuple[Name, ...]
    guards: tuple[Name, ...]
    target: Name | None
    actions: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class TimerDraft:
    """One entry of ``timers``."""

    event: Name
    after: timedelta
    states: Choice
    restarted_by: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class MigrationDraft:
    """One entry of ``migrate``: pairs of an old and a new state."""

    from_version: int
    states: tuple[tuple[Name, Name], ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Draft:
    """What could be read of a document.

    Args:
        events_mark: where the ``events`` section begins.
        is_whole: every state and rule could be read, so that what the graph lacks can be judged.
    """

    id: str
    version: int
    title: str
    states: Mapping[str, State]
    events: Mapping[str, EventType]
    events_mark: Mark
    effects: Mapping[str, EffectType]
    timers: tuple[TimerDraft, ...]
    rules: tuple[Rule, ...]
    policies: Policies
    isolation: Name | None
    migrations: tuple[MigrationDraft, ...]
    is_whole: bool
