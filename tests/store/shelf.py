"""A store with conversations in it, and steps made by hand: no graph decides here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sms_fsm.conversation import Conversation, Direction, Message, Part
from sms_fsm.effects import Cancellation, Effect, Lane, PlannedEffect
from sms_fsm.events import Event
from sms_fsm.machine import Step
from sms_fsm.ports import UnitOfWork
from sms_fsm.store import Database, Queries, Repository, open_database
from sms_fsm.values import evolve

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
CUSTOMER = "+15551234567"
BUSINESS = "+18885550100"


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """What the calls give, each made by a thread of its own, all let go at the same moment."""
    waiting = list(calls)
    start = threading.Barrier(len(waiting))

    def run(call: Callable[[], T]) -> T:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(waiting)) as pool:
        return list(pool.map(run, waiting))


def a_conversation(identity: str = "c-1", **fields: Any) -> Conversation:
    wanted = {"customer": CUSTOMER, "business": BUSINESS, "state": "new"}
    return Conversation(id=identity, graph_version=1, graph_hash="abc", **(wanted | fields))


def a_text(seq: int, key: str = "key") -> Message:
    return Message(seq, key, Direction.OUTBOUND, (Part(0, 5, "gsm7", 1),))


def an_effect(name: str, lane: Lane = Lane.ORDERED, **fields: Any) -> PlannedEffect:
    return PlannedEffect(name, lane, **fields)


def a_step(
    before: Conversation,
    *planned: PlannedEffect,
    name: str = "Happened",
    at: datetime = NOW,
    data: Mapping[str, Any] | None = None,
    cancelled: tuple[Cancellation, ...] = (),
    **changes: Any,
) -> Step:
    """The next step of a conversation; ``changes`` is what it changed of it."""
    return Step(
        event=Event(name, at, data or {}),
        before=before,
        after=evolve(before, seq=before.seq + 1, **changes),
        transition=None,
        asked=(),
        planned=planned,
        cancelled=cancelled,
        refused=False,
    )


class Shelf:
    """One store and what tests do to the conversation ``c-1`` in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.repository = Repository(database)
        self.queries = Queries(database)

    def create(self, identity: str = "c-1", **fields: Any) -> Conversation:
        conversation = a_conversation(identity, **fields)
        return self.repository.write(lambda uow: uow.create(conversation, NOW))

    def happens(
        self,
        *planned: PlannedEffect,
        identity: str = "c-1",
        text: str | None = None,
        **details: Any,
    ) -> Step:
        """An event of the conversation is recorded, with the effects that it planned."""

        def record(uow: UnitOfWork) -> Step:
            step = a_step(held(uow, identity), *planned, **details)
            uow.append(step, text=text)
            return step

        return self.repository.write(record)

    def claim(
        self, *, now: datetime = NOW, limit: int = 100, lease_seconds: float = 60
    ) -> list[Effect]:
        return list(self.repository.claim(now, limit=limit, lease_seconds=lease_seconds))

    def claim_one(self, **options: Any) -> Effect:
        (effect,) = self.claim(**options)
        return effect

    def settle(self, effect: Effect, how: Callable[[UnitOfWork], None]) -> bool:
        """Do as a worker does with what became of an effect; False if its lease is lost."""

        def record(uow: UnitOfWork) -> bool:
            held(uow, effect.conversation)
            if not uow.take_back(effect):
                return False
            how(uow)
            return True

        return self.repository.write(record)

    def finish(self, effect: Effect) -> bool:
        return self.settle(effect, lambda uow: uow.finish(effect))

    def defer(self, effect: Effect, *, seconds: float = 60) -> bool:
        due_at = NOW + timedelta(seconds=seconds)
        return self.settle(
            effect, lambda uow: uow.defer(effect, due_at=due_at, reason="busy", failed=True)
        )

    def bury(self, effect: Effect, *, hold: bool) -> bool:
        return self.settle(effect, lambda uow: uow.bury(effect, "gave up", hold=hold))

    def revive(self, effect: Effect, *, now: datetime = NOW) -> None:
        def record(uow: UnitOfWork) -> None:
            held(uow, effect.conversation)
            dead = uow.dead(effect.id)
            assert dead is not None
            uow.revive(dead, now)

        self.repository.write(record)

    def outbox(self, identity: str = "c-1") -> dict[str, str]:
        """The state of each effect, by name."""
        return {effect.name: effect.state.value for effect in self.queries.effects(identity)}

    def effect(self, name: str, identity: str = "c-1") -> Effect:
        return next(e for e in self.queries.effects(identity) if e.name == name)

    def runs(self) -> list[str]:
        """Names of all effects in the order in which they go, each finished before the next."""
        names = []
        while claimed := self.claim():
            for effect in claimed:
                names.append(effect.name)
                self.finish(effect)
        return names


def held(uow: UnitOfWork, identity: str) -> Conversation:
    """The conversation, locked; it must be there."""
    conversation = uow.lock(identity)
    assert conversation is not None
    return conversation


@contextmanager
def opened(url: str, *, lock_wait_seconds: float = 0.2) -> Iterator[Shelf]:
    """A shelf that does not wait long for others."""
    database = open_database(url, lock_wait_seconds=lock_wait_seconds)
    try:
        yield Shelf(database)
    finally:
        database.close()
