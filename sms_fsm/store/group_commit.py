"""Group commit: callers that write at the same time share one transaction.

Whoever finds nobody writing becomes the leader and takes along everybody who waits; each gets
an answer after the common commit. A lone caller is its own leader and pays nothing for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from sms_fsm.errors import StoreUnavailable

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")

Run = Callable[[Callable[[C], Any], Sequence[R]], Any]
"""Runs work in one transaction and commits it, knowing what it will read."""


@dataclass(slots=True, eq=False)
class _Ticket(Generic[C, R]):
    """One caller's work and what became of it."""

    work: Callable[[C], Any]
    reads: Sequence[R]
    # In place of a `threading.Event`, which takes several times as long to make and to wait for.
    turn: SimpleQueue[None] = field(default_factory=SimpleQueue)
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class GroupCommit(Generic[C, R]):
    """Shares transactions among the threads of one process.

    Args:
        run: runs work in one transaction, commits it, and runs it again on a conflict.
        most: how many callers one transaction takes along.
    """

    def __init__(self, run: Run[C, R], *, most: int = 64) -> None:
        self._run = run
        self._most = most
        self._waiting: deque[_Ticket[C, R]] = deque()
        self._leading = threading.Lock()

    def submit(self, work: Callable[[C], T], reads: Sequence[R] = ()) -> T:
        """Run ``work`` in a transaction, perhaps with others'; gives its result after the commit.

        Work that raises is rolled back alone: the others are run without it. ``reads`` is what it
        will read, as far as that is known.
        """
        ticket: _Ticket[C, R] = _Ticket(work, reads)
        self._waiting.append(ticket)
        while not ticket.done:
            if self._leading.acquire(blocking=False):
                try:
                    self._lead(ticket)
                finally:
                    self._leading.release()
                self._wake_next()
            else:
                ticket.turn.get()
        if ticket.error is not None:
            raise ticket.error
        result: T = ticket.result
        return result

    def _lead(self, own: _Ticket[C, R]) -> None:
        """Take along whoever waits; the leader's own work may be done already."""
        if own.done:
            return
        batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._commit(batch)
        except BaseException as error:
            for ticket in batch:
                ticket.error = ticket.error or error
            raise
        finally:
            for ticket in batch:
                ticket.done = True
                ticket.turn.put(None)

    def _commit(self, batch: Sequence[_Ticket[C, R]]) -> None:
        if len(batch) > 1 and self._commit_together(batch):
            return
        for ticket in batch:
            try:
                ticket.result = self._run(ticket.work, ticket.reads)
            except Exception as error:  # noqa: BLE001 - it is raised in the thread that it belongs to
                ticket.error = error

    def _commit_together(self, batch: Sequence[_Ticket[C, R]]) -> bool:
        """Whether all went well; one that raises spoils the common transaction."""
        try:
            results = self._run(
                lambda context: [ticket.work(context) for ticket in batch],
                [wanted for ticket in batch for wanted in ticket.reads],
            )
        except StoreUnavailable:
            raise  # it would be away for each of them, one wait after another
        except Exception:  # noqa: BLE001 - each is run again alone, and raises there what is its own
            return False
        for ticket, result in zip(batch, results, strict=True):
            ticket.result = result
        return True

    def _wake_next(self) -> None:
        try:
            self._waiting[0].turn.put(None)
        except IndexError:
            return
