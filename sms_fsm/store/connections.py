"""Connections that rest between transactions.

To take one from the pool costs more than most transactions do: on Postgres a round trip, to ask
whether it still works. One that rested for a moment only is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

_RESTS_SECONDS = 1.0


class CutOff(Exception):
    """The connection was gone when the transaction began to work: nothing was stored.

    Only one that rested can be; the next attempt has another.
    """


class Connected(Protocol):
    """A connection, SQLAlchemy's or the driver's."""

    def begin(self) -> AbstractContextManager[Any]:
        """A transaction, committed at its end; an exception rolls it back."""
        ...

    def close(self) -> None:
        """Give it back to the pool."""
        ...


C = TypeVar("C", bound=Connected)


class Connections(Generic[C]):
    """Hands connections to transactions and keeps a few of them.

    Args:
        connect: takes one from the pool, which asks whether it still works.
        is_gone: whether one was cut off.
        most: how many are kept.
    """

    def __init__(
        self, connect: Callable[[], C], *, is_gone: Callable[[C], bool], most: int
    ) -> None:
        self._connect = connect
        self._is_gone = is_gone
        self._most = most
        self._resting: list[tuple[C, float]] = []

    @contextmanager
    def transaction(self) -> Iterator[C]:
        """A connection in a transaction, committed at the end; an exception rolls it back.

        Raises:
            CutOff: it was gone already.
        """
        rested = self._rested()
        connection = rested or self._connect()
        worked = False
        try:
            with connection.begin():
                yield connection
                worked = True
        except BaseException:
            gone = rested is not None and not worked and self._is_gone(rested)
            connection.close()
            if gone:
                raise CutOff from None
            raise
        self._keep(connection)

    def close(self) -> None:
        """Give them back to the pool, and keep none that comes back later."""
        self._most = 0
        while self._resting:
            self._resting.pop()[0].close()

    def _rested(self) -> C | None:
        try:
            connection, since = self._resting.pop()
        except IndexError:
            return None
        if time.monotonic() - since < _RESTS_SECONDS:
            return connection
        connection.close()
        return None

    def _keep(self, connection: C) -> None:
        if len(self._resting) < self._most:
            self._resting.append((connection, time.monotonic()))
        else:
            connection.close()


def is_gone(connection: Connection) -> bool:
    """Whether a connection of SQLAlchemy was cut off."""
    return connection.invalidated or getattr(
        connection.connection.driver_connection, "closed", False
    )
