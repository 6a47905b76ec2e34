"""First stage of loading: do the keys and values of a document have the right shape?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol, TypeVar

from sms_fsm.graph import fields
from sms_fsm.graph.codes import Code
from sms_fsm.graph.draft import Draft, MigrationDraft, Name, Rule, TimerDraft
from sms_fsm.graph.fields import (
    Fields,
    Keys,
    Reader,
    duration,
    entries,
    flag,
    label,
    list_of,
    names,
    word_of,
)
from sms_fsm.graph.findings import Findings
from sms_fsm.graph.model import (
    ClosedPolicy,
    EffectType,
    EventKind,
    EventType,
    OnFailure,
    Policies,
    State,
    UnknownCodes,
)
from sms_fsm.graph.yaml_tree import Node

KEYS: Mapping[str, Keys] = {
    "document": Keys(
        required=frozenset({"graph", "version", "states", "events", "transitions"}),
        optional=frozenset({"title", "policies", "effects", "timers", "migrate"}),
    ),
    "policies": Keys(
        optional=frozenset(
            {
                "isolation",
                "closed_conversation",
                "failed_delivery",
                "delivery_poll",
                "opt_out_confirmation",
            }
        )
    ),
    "failed_delivery": Keys(optional=frozenset({"retry_after", "unknown_codes"})),
    "delivery_poll": Keys(optional=frozenset({"first", "longest"})),
    "state": Keys(
        optional=frozenset({"title", "group", "initial", "rest", "final", "awaits_delivery"})
    ),
    "event": Keys(required=frozenset({"kind"}), optional=frozenset({"title"})),
    "effect": Keys(required=frozenset({"retry_for", "on_failure"}), optional=frozenset({"title"})),
    "timer": Keys(required=frozenset({"after", "states"}), optional=frozenset({"restarted_by"})),
    "transition": Keys(
        required=frozenset({"id", "from", "on"}), optional=frozenset({"when", "to", "do"})
    ),
    "migration": Keys(required=frozenset({"from", "states"})),
}
"""The keys of each kind of mapping; the JSON Schema for editors names the same."""


# Slips that leave no doubt about what the document says.
_HARMLESS = (Code.UNKNOWN_KEY, Code.REPEATED_NAME)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


V = TypeVar("V", bound=_Named)


def read_draft(root: Node, findings: Findings) -> Draft:
    """What a document says, as far as it can be read; everything else is in ``findings``."""
    top = Fields(root, KEYS["document"], findings)
    policies, isolation = top.find("policies", _policies) or (Policies(), None)
    start = len(findings)
    states = top.find("states", _by_name(_state))
    rules = top.find("transitions", list_of(_rule))
    misread = findings.since(start, ignoring=_HARMLESS)
    return Draft(
        id=top.get("graph", _name_text, ""),
        version=top.get("version", fields.count, 1),
        title=top.get("title", label, ""),
        states=states or {},
        events=top.get("events", _by_name(_event), {}),
        events_mark=top.place("events"),
        effects=top.get("effects", _by_name(_effect), {}),
        timers=top.get("timers", _timers, ()),
        rules=rules or (),
        policies=policies,
        isolation=isolation,
        migrations=top.get("migrate", list_of(_migration), ()),
        is_whole=bool(states) and rules is not None and not misread,
    )


def _by_name(read: Callable[[Name, Node, Findings], V | None]) -> Reader[dict[str, V]]:
    def read_all(node: Node, findings: Findings) -> dict[str, V]:
        found = (read(name, body, findings) for name, body in entries(node, findings))
        return {value.name: value for value in found if value is not None}

    return read_all


def _name_text(node: Node, findings: Findings) -> str | None:
    name = fields.name(node, findings)
    return name.text if name else None


def _policies(node: Node, findings: Findings) -> tuple[Policies, Name | None]:
    given = Fields(node, KEYS["policies"], findings)
    failed = given.sub("failed_delivery", KEYS["failed_delivery"])
    poll = given.sub("delivery_poll", KEYS["delivery_poll"])
    usual = Policies()
    policies = Policies(
        retry_after=failed.get("retry_after", list_of(duration), usual.retry_after),
        unknown_codes=failed.get("unknown_codes", word_of(UnknownCodes), usual.unknown_codes),
        poll_first=poll.get("first", duration, usual.poll_first),
        poll_longest=poll.get("longest", duration, usual.poll_longest),
        closed_conversation=given.get(
            "closed_conversation", word_of(ClosedPolicy), usual.closed_conversation
        ),
        opt_out_confirmation=given.get("opt_out_confirmation", label, usual.opt_out_confirmation),
    )
    if policies.poll_first > policies.poll_longest:
        findings.add(Code.POLL_LIMIT, poll.mark, "the first wait is longer than the longest")
    return policies, given.find("isolation", fields.optional_name)


def _state(name: Name, node: Node, findings: Findings) -> State:
    given = Fields(node, KEYS["state"], findings)
    return State(
        name=name.text,
        title=given.get("title", label, ""),
        group=given.get("group", label, ""),
        initial=given.get("initial", flag, default=False),
        rest=given.get("rest", flag, default=False),
        final=given.get("final", flag, default=False),
        awaits_delivery=given.get("awaits_delivery", flag, default=False),
        mark=name.mark,
    )


def _event(name: Name, node: Node, findings: Findings) -> EventType:
    given = Fields(node, KEYS["event"], findings)
    return EventType(
        name=name.text,
        kind=given.get("kind", word_of(EventKind), EventKind.FACT),
        title=given.get("title", label, ""),
        mark=name.mark,
    )


def _effect(name: Name, node: Node, findings: Findings) -> EffectType:
    given = Fields(node, KEYS["effect"], findings)
    return EffectType(
        name=name.text,
        retry_for=given.get("retry_for", duration, timedelta()),
        on_failure=given.get("on_failure", word_of(OnFailure), OnFailure.HOLD),
        title=given.get("title", label, ""),
        mark=name.mark,
    )


def _timers(node: Node, findings: Findings) -> tuple[TimerDraft, ...]:
    found = (_timer(name, body, findings) for name, body in entries(node, findings))
    return tuple(timer for timer in found if timer)


def _timer(event: Name, node: Node, findings: Findings) -> TimerDraft | None:
    given = Fields(node, KEYS["timer"], findings)
    after = given.find("after", duration)
    states = given.find("states", fields.choice)
    restarted_by = given.find("restarted_by", names) or ()
    if after is None or states is None:
        return None
    return TimerDraft(event, after, states, restarted_by)


def _rule(node: Node, findings: Findings) -> Rule | None:
    given = Fields(node, KEYS["transition"], findings)
    id_ = given.find("id", fields.name)
    sources = given.find("from", fields.choice)
    events = given.find("on", fields.some_names)
    guards = given.find("when", names) or ()
    target = given.find("to", fields.name)
    actions = given.find("do", names) or ()
    if id_ is None or sources is None or events is None:
        return None
    return Rule(id_, sources, events, guards, target, actions)


def _migration(node: Node, findings: Findings) -> MigrationDraft | None:
    given = Fields(node, KEYS["migration"], findings)
    from_version = given.find("from", fields.count)
    states = given.find("states", _state_map)
    if from_version is None or states is None:
        return None
    return MigrationDraft(from_version, states, given.place("from"))


def _state_map(node: Node, findings: Findings) -> tuple[tuple[Name, Name], ...]:
    pairs = ((old, fields.name(new, findings)) for old, new in entries(node, findings))
    return tuple((old, new) for old, new in pairs if new)
