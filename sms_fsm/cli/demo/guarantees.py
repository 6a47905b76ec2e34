"""What must have held from the first scene to the last, checked on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sms_fsm.cli.demo.stage import BUSINESS, CUSTOMER, SECOND_CUSTOMER, Stage
from sms_fsm.cli.stores import opened
from sms_fsm.conversation import Direction
from sms_fsm.replay import bounded_lines, rebuild, verify
from sms_fsm.simulator import Verdict
from sms_fsm.store.stored_log import StoredLog

_CUSTOMERS = (CUSTOMER, SECOND_CUSTOMER)


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A promise, how it was checked, and whether it held."""

    promise: str
    checked: str
    held: bool


def guarantees(stage: Stage, states: frozenset[str]) -> Iterator[Guarantee]:
    """Every promise of the engine, judged by its own records and by the simulator's."""
    verdict = stage.simulator.judge(_references(stage))
    yield _every_state(stage, states)
    yield _one_conversation(stage)
    yield _nothing_lost(stage, verdict)
    yield _nothing_twice(stage, verdict)
    yield Guarantee(
        "in order", "the simulator's ledger, by conversation", held=not verdict.out_of_order
    )
    broken = verdict.violations
    yield Guarantee("CXone's rules kept", broken[0] if broken else _rules(stage), held=not broken)
    yield _nothing_stuck(stage)


def log_guarantees(stage: Stage, log: Path) -> Iterator[Guarantee]:
    """What is promised of the exported log."""
    with log.open("rb") as file:
        report = verify(bounded_lines(file))
    checked = (
        f"{report.judged} of {report.events} events decided again, {report.divergent} otherwise, "
        f"{report.faults} records touched"
    )
    again = report.clean and report.judged == report.events > 0
    yield Guarantee("the log replays", checked, held=again)
    yield _store_is_its_log(stage)
    written = log.read_text(encoding="utf-8")
    secrets = [*stage.said, *_CUSTOMERS, BUSINESS]
    leaked = sum(secret in written for secret in secrets)
    checked = f"{len(secrets)} of them looked for in {log.name}, {leaked} found"
    yield Guarantee("no text or number in the log", checked, held=not leaked)


def _store_is_its_log(stage: Stage) -> Guarantee:
    with opened(stage.settings) as database:
        report = rebuild(StoredLog(database))
    checked = f"{report.events} events folded, {report.drifted} fields stored otherwise"
    return Guarantee("the log is the truth", checked, held=report.clean and report.events > 0)


def _every_state(stage: Stage, states: frozenset[str]) -> Guarantee:
    visited = {name for event in stage.history for name in (event.source, event.target)}
    missed = ", ".join(sorted(states - visited))
    checked = f"never seen: {missed}" if missed else f"{len(states)} of {len(states)} in one log"
    return Guarantee("every state visited", checked, held=not missed)


def _one_conversation(stage: Stage) -> Guarantee:
    there = len(stage.simulator.conversations)
    created = stage.calls().count("createConversation")
    checked = f"{len(_CUSTOMERS)} customers, {there} conversations, {created} created"
    return Guarantee(
        "one conversation a customer", checked, held=there == created == len(_CUSTOMERS)
    )


def _nothing_lost(stage: Stage, verdict: Verdict) -> Guarantee:
    there = _outbound(stage)
    missing = [text for text in stage.said if text not in there]
    checked = f"{len(stage.said)} replies and every customer's text are at CXone"
    return Guarantee("nothing lost", checked, held=not missing and not verdict.lost)


def _nothing_twice(stage: Stage, verdict: Verdict) -> Guarantee:
    there = _outbound(stage)
    checked = f"{there.total()} posts for {len(stage.said)} replies, each one accounted for"
    clean = not verdict.duplicate and not verdict.unexpected
    return Guarantee("nothing twice", checked, held=there == stage.said and clean)


def _nothing_stuck(stage: Stage) -> Guarantee:
    conversations = [stage.conversation(customer) for customer in _CUSTOMERS]
    waiting = [effect for one in conversations for effect in stage.waiting(one)]
    dead = len(stage.engine.dead_letters())
    checked = f"{dead} dead letters, {len(waiting)} effects waiting"
    return Guarantee("nothing stuck", checked, held=not waiting and not dead)


def _rules(stage: Stage) -> str:
    return f"{len(stage.calls())} calls checked against the wire contract"


def _outbound(stage: Stage) -> Counter[str]:
    return Counter(
        post["content"]["text"]
        for customer in _CUSTOMERS
        for post in stage.posted(customer)
        if post["direction"] == Direction.OUTBOUND
    )


def _references(stage: Stage) -> list[str]:
    """The engine's marks of all posts that it knows of, in the order of its log."""
    return [
        event.data["reference"]
        for customer in _CUSTOMERS
        for event in stage.events("MessagePosted", customer)
    ]
