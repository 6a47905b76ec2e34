"""Connections that rest between transactions.

To take one from the pool costs more than most transactions do: on Postgres a round trip, to ask
whether it still works. One that rested for a moment only is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

_RESTS_SECONDS = 1.0


class CutOff(Exception):
    """The connection was gone when the transaction began to work: nothing was stored.

    Only one that rested can be; the next attempt has another.
    """


class Connections:
    """Hands connections to transactions and keeps a few of them.

    Args:
        connect: takes one from the pool, which asks whether it still works.
        most: how many are kept.
    """

    def __init__(self, connect: Callable[[], Connection], *, most: int) -> None:
        self._connect = connect
        self._most = most
        self._resting: list[tuple[Connection, float]] = []

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
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
            gone = rested is not None and not worked and _is_gone(rested)
            connection.close()
            if gone:
                raise CutOff from None
            raise
        self._keep(connection)

    def close(self) -> None:
        """Give them back to the pool."""
        while self._resting:
            self._resting.pop()[0].close()

    def _rested(self) -> Connection | None:
        try:
            connection, since = self._resting.pop()
        except IndexError:
            return None
        if time.monotonic() - since < _RESTS_SECONDS:
            return connection
        connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        if len(self._resting) < self._most:
            self._resting.append((connection, time.monotonic()))
        else:
            connection.close()


def _is_gone(connection: Connection) -> bool:
    return connection.invalidated or getattr(
        connection.connection.driver_connection, "closed", False
    )
