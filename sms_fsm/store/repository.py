"""The store as the engine sees it: fulfils `sms_fsm.ports.Store`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, insert, select

from sms_fsm.effects import Effect
from sms_fsm.errors import GraphError
from sms_fsm.graph import StateGraph, check_version
from sms_fsm.machine import Step
from sms_fsm.ports import Reads, Subject
from sms_fsm.store import outbox
from sms_fsm.store import statements as sql
from sms_fsm.store.database import Database
from sms_fsm.store.driver import Driver
from sms_fsm.store.group_commit import GroupCommit
from sms_fsm.store.rows import locked_conversation, message_of
from sms_fsm.store.statements import GRAPH_VERSION
from sms_fsm.store.unit_of_work import UnitOfWork

T = TypeVar("T")


class Repository:
    """Transactions, claims and graph versions over one database.

    Args:
        listener: is told of each step after its commit.
    """

    def __init__(self, database: Database, listener: Callable[[Step], None] | None = None) -> None:
        self._database = database
        self._listener = listener
        self._group: GroupCommit[UnitOfWork, Reads] = GroupCommit(self._transact)

    def write(self, work: Callable[[UnitOfWork], T], *reads: Reads) -> T:
        """Run ``work`` in a transaction, perhaps with others', and commit.

        It is run again if it met another transaction, so it must do nothing but decide and write.
        ``reads`` is what it will read, as far as that is known: it only makes it faster.
        """
        return self._group.submit(work, reads or (Reads(),))

    def _transact(self, work: Callable[[UnitOfWork], T], reads: Sequence[Reads]) -> T:

        def transaction(driver: Driver) -> tuple[T, list[Step]]:
            uow = UnitOfWork(driver)
            uow.expect(reads)
            result = work(uow)
            uow.complete()
            return result, uow.steps

        result, steps = self._database.transact(transaction)
        if self._listener is not None:
            for step in steps:
                self._listener(step)
        return result

    def subject(self, effect: Effect) -> Subject:
        """What an effect is about, as it is now."""
        values = {"id": effect.conversation, "message": effect.message}
        row = self._database.look(lambda driver: driver.first(sql.SUBJECT, values))
        if row is None:
            raise LookupError("an effect has a conversation")
        *conversation, data, body, opted_out = row
        return Subject(
            conversation=locked_conversation(tuple(conversation)).conversation,
            message=None if data is None else message_of(effect.message or 0, data, body),
            opted_out=opted_out is not None,
        )

    def claim(self, now: datetime, *, limit: int, lease_seconds: float) -> Sequence[Effect]:
        """Lease effects that are due, each to one caller, for real seconds."""
        if self._database.is_sqlite and not self._database.look(
            lambda driver: outbox.is_due(driver, now)
        ):
            return ()
        return self._database.transact(
            lambda driver: outbox.claim(driver, now, limit=limit, lease_seconds=lease_seconds)
        )

    def release(self, effects: Sequence[Effect]) -> None:
        """Hand back leased effects that were not begun."""
        self._database.transact(lambda driver: outbox.release(driver, effects))

    def due_timers(self, now: datetime, *, limit: int) -> Sequence[str]:
        """Conversations with a timer that is due."""
        return self._database.look(lambda driver: outbox.due_timers(driver, now, limit=limit))

    def graph_document(self, behaviour_hash: str) -> tuple[int, str] | None:
        """Version and document of a graph that the store knows."""

        def find(connection: Connection) -> tuple[int, str] | None:
            row = connection.execute(
                select(GRAPH_VERSION.c.version, GRAPH_VERSION.c.document)
                .where(GRAPH_VERSION.c.behaviour_hash == behaviour_hash)
                .limit(1)
            ).first()
            return None if row is None else (row.version, row.document)

        return self._database.read(find)

    def register_graph(self, graph: StateGraph, now: datetime) -> None:
        """Keep a graph for ever, so that no conversation that runs on it is stranded.

        Raises:
            GraphError: this version is in the store with another behaviour.
        """

        def keep(connection: Connection) -> str | None:
            found: str | None = connection.execute(
                select(GRAPH_VERSION.c.behaviour_hash).where(
                    GRAPH_VERSION.c.id == graph.id, GRAPH_VERSION.c.version == graph.version
                )
            ).scalar()
            if found is None:
                values = {
                    "id": graph.id,
                    "version": graph.version,
                    "behaviour_hash": graph.behaviour_hash,
                    "document": graph.document,
                    "created_at": now,
                }
                connection.execute(insert(GRAPH_VERSION), values)
            return found

        known = self._database.write(keep)
        problems = () if known is None else check_version(graph, known)
        if problems:
            raise GraphError(problems)
