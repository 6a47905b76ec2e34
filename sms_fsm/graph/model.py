"""The state graph as plain frozen values: what a graph document says, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class EventKind(StrEnum):
    """Who an event comes from, and so whether it may be refused."""

    COMMAND = "command"
    """Asked for by the host. The graph may refuse it (`TransitionRefused`)."""
    FACT = "fact"
    """Happened outside. It is taken in whatever the state."""
    OUTCOME = "outcome"
    """What carrying out an effect led to. Taken in whatever the state."""
    TIMER = "timer"
    """A due time that came."""


class OnFailure(StrEnum):
    """What a dead effect does to those planned behind it in its conversation."""

    HOLD = "hold"
    """They wait until it is retried."""
    STEP_ASIDE = "step_aside"
    """The next one goes."""


class ClosedPolicy(StrEnum):
    """What becomes of a conversation that CXone closed for good."""

    REPLACE = "replace"
    """The refused effect and all behind it move to a new CXone conversation."""
    HOLD = "hold"
    """Everything waits for an operator."""


class UnknownCodes(StrEnum):
    """What to do about a failed delivery whose code no vocabulary lists."""

    RETRY = "retry"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the graph document, counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class State:
    """A named node.

    Args:
        name: how transitions refer to it.
        title: what it means, for people.
        group: states of one group are drawn together.
        initial: every conversation starts here; exactly one state is initial.
        rest: a conversation may stay here for ever without anything being wrong.
        final: nothing leaves it.
        awaits_delivery: entering it starts a waiting spell for the carriers' word.
    """

    name: str
    title: str = ""
    group: str = ""
    initial: bool = False
    rest: bool = False
    final: bool = False
    awaits_delivery: bool = False
    mark: Mark = field(default=Mark(), compare=False)


@dataclass(frozen=True, slots=True)
class EventType:
    """An event that transitions may consume."""

    name: str
    kind: EventKind
    title: str = ""
    mark: Mark = field(default=Mark(), compare=False)


@dataclass(frozen=True, slots=True)
class EffectType:
    """A request to the outside that actions may plan, and what happens when it gives up.

    Args:
        retry_for: how long a retryable failure is tried again before it becomes a dead letter.
        on_failure: what its death does to the effects behind it.
    """

    name: str
    retry_for: timedelta
    on_failure: OnFailure
    title: str = ""
    mark: Mark = field(default=Mark(), compare=False)


@dataclass(frozen=True, slots=True)
class Timer:
    """An event that comes by itself when a conversation was quiet for ``after``.

    Args:
        event: the event that is raised, and the timer's name.
        states: it runs in these states only; entering one of them from outside starts it.
        restarted_by: events that start it again.
    """

    event: str
    after: timedelta
    states: tuple[str, ...]
    restarted_by: tuple[str, ...] = ()
    mark: Mark = field(default=Mark(), compare=False)


@dataclass(frozen=True, slots=True)
class Transition:
    """One rule: in ``source``, on ``event``, if all guards hold, go to ``target``.

    ``target`` equals ``source`` where the event moves nothing but plans effects. Transitions of
    one source and event are tried in the order of the document. A document's rule with several
    sources becomes several transitions with one ``id``.
    """

    id: str
    source: str
    event: str
    target: str
    guards: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    mark: Mark = field(default=Mark(), compare=False)


@dataclass(frozen=True, slots=True)
class Policies:
    """Decisions that are the operator's, not the code's.

    Args:
        retry_after: waits before the 1st, 2nd … new attempt at a part that a carrier failed.
        unknown_codes: what to do about codes that no vocabulary lists.
        poll_first, poll_longest: first wait for a carrier's word and the limit of its doubling.
        closed_conversation: what becomes of a conversation that CXone closed for good.
        isolation: name of the registered function whose string joins the (customer, business)
            pair, or None for one conversation a pair.
        opt_out_confirmation: the one text that still goes to a customer who opted out; empty:
            none does.
    """

    retry_after: tuple[timedelta, ...] = (
        timedelta(seconds=60),
        timedelta(seconds=300),
        timedelta(seconds=900),
    )
    unknown_codes: UnknownCodes = UnknownCodes.RETRY
    poll_first: timedelta = timedelta(seconds=300)
    poll_longest: timedelta = timedelta(seconds=3600)
    closed_conversation: ClosedPolicy = ClosedPolicy.REPLACE
    isolation: str | None = None
    opt_out_confirmation: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """How conversations of an older version enter this one: a total map of its states."""

    from_version: int
    states: Mapping[str, str]
    mark: Mark = field(default=Mark(), compare=False)


@dataclass(frozen=True, slots=True)
class StateGraph:
    """A checked graph document.

    ``document`` is the text that it was loaded from; ``behaviour_hash`` covers everything that
    decides (not titles, groups, comments or the order of keys), as lower-case hex of SHA-256.
    """

    id: str
    version: int
    title: str
    states: Mapping[str, State]
    events: Mapping[str, EventType]
    effects: Mapping[str, EffectType]
    timers: Mapping[str, Timer]
    transitions: tuple[Transition, ...]
    policies: Policies
    migrations: tuple[Migration, ...]
    behaviour_hash: str
    document: str = field(repr=False)
    file: str = "<graph>"

    @property
    def initial(self) -> str:
        """Name of the state that conversations start in."""
        return next(state.name for state in self.states.values() if state.initial)

    def outgoing(self, source: str, event: str) -> tuple[Transition, ...]:
        """The transitions of one state on one event, in the order in which they are tried."""
        return tuple(t for t in self.transitions if t.source == source and t.event == event)
