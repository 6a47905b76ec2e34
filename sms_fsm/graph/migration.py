"""Can a graph be used beside the older ones of a store, and can their conversations enter it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sms_fsm.errors import Problem
from sms_fsm.graph.codes import Code
from sms_fsm.graph.model import Mark, StateGraph


def check_migration(old: StateGraph, new: StateGraph) -> tuple[Problem, ...]:
    """What is wrong with the map of ``old``'s states in ``new``; empty if all may move."""
    return tuple(replace(problem, file=new.file) for problem in _problems(old, new))


def check_version(graph: StateGraph, known: str) -> tuple[Problem, ...]:
    """What is wrong with a graph whose version a store has with the behaviour hash ``known``."""
    if graph.behaviour_hash == known:
        return ()
    reason = (
        f"version {graph.version} of {graph.id} is in the store with behaviour {known[:12]}, "
        f"this document has {graph.behaviour_hash[:12]}: raise `version`"
    )
    return (Problem("version-reused", reason, file=graph.file),)


def _problems(old: StateGraph, new: StateGraph) -> Iterator[Problem]:
    for effect in sorted(old.effects.keys() - new.effects.keys()):
        # It may wait in the outbox; its rules are those of the graph that its conversation is on.
        message = f"effect {effect} of version {old.version} is not declared any more"
        yield Code.LOST_EFFECT.at(Mark(), message)
    migration = next((m for m in new.migrations if m.from_version == old.version), None)
    if migration is None:
        yield Code.NO_MIGRATION.at(Mark(), _no_migration(old.version, new.version))
        return
    for state in sorted(old.states.keys() - migration.states.keys()):
        message = f"state {state} of version {old.version} is not mapped"
        yield Code.UNMAPPED_STATE.at(migration.mark, message)
    for state in sorted(migration.states.keys() - old.states.keys()):
        message = f"version {old.version} has no state {state}"
        yield Code.UNKNOWN_OLD_STATE.at(migration.mark, message)


def _no_migration(old: int, new: int) -> str:
    message = f"there is no migration from version {old}"
    if old < new:
        return message
    return f"{message}, which is newer: give this graph a version above {old} to go back to it"
