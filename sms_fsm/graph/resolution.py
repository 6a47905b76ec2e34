"""Second stage of loading: looks every name up and expands the rules to transitions.

A mistyped name is reported and then read as the one that was probably meant, so that one slip does
not make the whole graph look broken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from sms_fsm.errors import GraphError
from sms_fsm.graph.codes import Code
from sms_fsm.graph.draft import Choice, Draft, MigrationDraft, Name, Rule, TimerDraft
from sms_fsm.graph.findings import Findings, shown
from sms_fsm.graph.model import (
    EffectType,
    EventKind,
    EventType,
    Mark,
    Migration,
    StateGraph,
    Timer,
    Transition,
)
from sms_fsm.graph.names import Names

D = TypeVar("D", EventType, EffectType)

MAX_STATES = 200
MAX_TRANSITIONS = 10_000


class Resolver:
    """Makes a graph of one draft; ``is_whole`` tells whether every state and rule is in it."""

    def __init__(self, draft: Draft, names: Names, findings: Findings) -> None:
        self.is_whole = draft.is_whole
        self._draft = draft
        self._names = names
        self._findings = findings
        self._events = self._declared(Code.UNKNOWN_EVENT, "event", draft.events, names.events)
        self._effects = self._declared(Code.UNKNOWN_EFFECT, "effect", draft.effects, names.effects)
        self._known_events = self._events.keys() | names.events

    def graph(self, document: str, file: str) -> StateGraph:
        """The graph, without its behaviour hash.

        Raises:
            GraphError: there are too many states or transitions.
        """
        draft = self._draft
        if len(draft.states) > MAX_STATES:
            raise _refusal(Code.TOO_MANY_STATES, f"more than {MAX_STATES} states", Mark())
        self._check_kinds()
        return StateGraph(
            id=draft.id,
            version=draft.version,
            title=draft.title,
            states=draft.states,
            events=self._events,
            effects=self._effects,
            timers={timer.event.text: self._timer(timer) for timer in draft.timers},
            transitions=tuple(self._transitions()),
            policies=replace(draft.policies, isolation=self._isolation()),
            migrations=tuple(self._migrations()),
            behaviour_hash="",
            document=document,
            file=file,
        )

    def _check_kinds(self) -> None:
        for event in self._events.values():
            kind = self._names.kinds.get(event.name, event.kind)
            if kind is not event.kind:
                message = f"{event.name} is a {kind}, not a {event.kind}"
                self._findings.add(Code.WRONG_KIND, event.mark, message)
        for missing in sorted(self._names.events - self._events.keys()):
            message = f"the engine raises {missing}, so it must be declared"
            self._findings.add(Code.UNDECLARED_EVENT, self._draft.events_mark, message)

    def _declared(
        self, code: Code, what: str, section: Mapping[str, D], known: Collection[str]
    ) -> dict[str, D]:
        declared: dict[str, D] = {}
        for item in section.values():
            name = self._look_up(code, what, Name(item.name, item.mark), known) or item.name
            declared[name] = replace(item, name=name)
        return declared

    def _transitions(self) -> Iterator[Transition]:
        self._check_ids()
        self._check_plans()
        made = 0
        for rule in self._draft.rules:
            sources, events = self._states(rule.sources), self._events_of(rule.events)
            made += len(sources) * len(events)
            if made > MAX_TRANSITIONS:
                message = f"more than {MAX_TRANSITIONS:,} transitions"
                raise _refusal(Code.TOO_MANY_TRANSITIONS, message, rule.id.mark)
            yield from self._expanded(rule, sources, events)

    def _expanded(
        self, rule: Rule, sources: Iterable[str], events: tuple[str, ...]
    ) -> Iterator[Transition]:
        guards = tuple(self._guard(guard) for guard in rule.guards)
        actions = tuple(self._action(action) for action in rule.actions)
        target = self._state(rule.target) if rule.target else None
        if rule.target and not target:
            return
        for source in sources:
            for event in events:
                yield Transition(
                    id=rule.id.text,
                    source=source,
                    event=event,
                    target=target or source,
                    guards=guards,
                    actions=actions,
                    mark=rule.id.mark,
                )

    def _check_ids(self) -> None:
        first: dict[str, Mark] = {}
        for rule in self._draft.rules:
            known = first.setdefault(rule.id.text, rule.id.mark)
            if known != rule.id.mark:
                message = f"id {shown(rule.id.text)} is taken by the rule in line {known.line}"
                self._findings.add(Code.DUPLICATE_ID, rule.id.mark, message)

    def _check_plans(self) -> None:
        uses = {
            action.text: action for rule in reversed(self._draft.rules) for action in rule.actions
        }
        for action in uses.values():
            for effect in sorted(
                {*self._names.actions.get(action.text, ())} - self._effects.keys()
            ):
                message = f"{action.text} plans {effect}, which is not declared under effects"
                self._findings.add(Code.UNDECLARED_EFFECT, action.mark, message)

    def _timer(self, timer: TimerDraft) -> Timer:
        event = self._events.get(timer.event.text)
        if event is None:
            self._look_up(Code.UNKNOWN_EVENT, "event", timer.event, self._events)
        elif event.kind is not EventKind.TIMER:
            message = f"{event.name} is a {event.kind}; a timer raises an event of kind timer"
            self._findings.add(Code.NOT_A_TIMER, timer.event.mark, message)
        return Timer(
            event=timer.event.text,
            after=timer.after,
            states=self._states(timer.states),
            restarted_by=self._events_of(timer.restarted_by),
            mark=timer.event.mark,
        )

    def _migrations(self) -> Iterator[Migration]:
        seen: set[int] = set()
        for migration in self._draft.migrations:
            version = migration.from_version
            if version >= self._draft.version:
                message = f"version {version} is not older than {self._draft.version}"
                self._findings.add(Code.MIGRATION_VERSION, migration.mark, message)
            if version in seen:
                message = f"version {version} is migrated twice"
                self._findings.add(Code.DUPLICATE_MIGRATION, migration.mark, message)
            seen.add(version)
            yield Migration(version, self._state_map(migration), migration.mark)

    def _state_map(self, migration: MigrationDraft) -> dict[str, str]:
        pairs = ((old.text, self._state(new)) for old, new in migration.states)
        return {old: new for old, new in pairs if new}

    def _states(self, choice: Choice) -> tuple[str, ...]:
        named = tuple(state for name in choice.names if (state := self._state(name)))
        if not choice.all_but:
            return named
        left = tuple(state for state in self._draft.states if state not in named)
        if self._draft.states and not left:
            self._findings.add(Code.NOTHING_NAMED, choice.mark, "no state is left")
        return left

    def _state(self, name: Name) -> str | None:
        state = self._look_up(Code.UNKNOWN_STATE, "state", name, self._draft.states)
        self.is_whole = self.is_whole and state is not None
        return state

    def _events_of(self, names: Iterable[Name]) -> tuple[str, ...]:
        known = self._known_events
        events = tuple(self._look_up(Code.UNKNOWN_EVENT, "event", name, known) for name in names)
        self.is_whole = self.is_whole and None not in events
        return tuple(event for event in events if event)

    def _guard(self, name: Name) -> str:
        known = self._names.guards
        return self._look_up(Code.UNKNOWN_GUARD, "guard", name, known) or name.text

    def _action(self, name: Name) -> str:
        known = self._names.actions
        return self._look_up(Code.UNKNOWN_ACTION, "action", name, known) or name.text

    def _isolation(self) -> str | None:
        name = self._draft.isolation
        if name is None:
            return None
        known = self._names.isolations
        return self._look_up(Code.UNKNOWN_ISOLATION, "isolation rule", name, known)

    def _look_up(self, code: Code, what: str, name: Name, known: Collection[str]) -> str | None:
        if name.text in known:
            return name.text
        return self._findings.unknown(code, name.mark, what, name.text, known)


def _refusal(code: Code, message: str, mark: Mark) -> GraphError:
    return GraphError([code.at(mark, message)])
