"""Statements built once and run on the driver's own cursor: the hot path's way to the database.

Measured, an ORM session costs six times and even prebuilt Core statements cost twice of what the
driver's cursor costs. The statements are still made from the tables, so nothing is spelled twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Self

import orjson
from sqlalchemy import Connection, Table, bindparam
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.sql.expression import ClauseElement


class Dialect(NamedTuple):
    """What differs between the two while a statement is made.

    Args:
        insert: makes an insert that knows ``ON CONFLICT``.
    """

    insert: Callable[[Any], PostgresInsert]
    is_postgres: bool


Build = Callable[[Dialect], ClauseElement]

_SQLITE = Dialect(insert_sqlite, is_postgres=False)  # type: ignore[arg-type]  # both know ON CONFLICT
_POSTGRES = Dialect(insert_postgres, is_postgres=True)


Row = dict[str, Any]
Change = tuple["Statement", Sequence[Row]]
"""A statement that writes, and the rows that it writes."""

_TOGETHER = 12
"""So many rows of a transaction go to Postgres as one statement; more are streamed by table."""


class _Sql(NamedTuple):
    """SQL text, and what gives its parameters in order from a row."""

    text: str
    parameters: Callable[[Row], Sequence[Any]]


class _Copy(NamedTuple):
    """How Postgres takes many rows of a plain insert: as a stream."""

    text: str
    types: Sequence[str]
    parameters: Callable[[Row], Sequence[Any]]


class Statement:
    """One statement for both dialects.

    Args:
        build: makes it from the tables for a dialect.
        counted: each of its rows must change one; `Driver.write` tells how many did.
    """

    copy: _Copy | None = None

    def __init__(self, build: Build, *, counted: bool = False) -> None:
        self._build = build
        self.counted = counted
        self.sqlite = cache(self._for_sqlite)
        self.postgres = cache(self._for_postgres)

    def _for_sqlite(self) -> _Sql:
        dialect = pysqlite.dialect(paramstyle="qmark")
        return _compiled(self._build(_SQLITE), dialect)

    def _for_postgres(self) -> _Sql:
        dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
        return _compiled(self._build(_POSTGRES), dialect)


class Insertion(Statement):
    """A plain insert of these columns (all of them, if none are named)."""

    def __init__(self, table: Table, *names: str) -> None:
        names = names or tuple(column.name for column in table.c)
        super().__init__(
            lambda _: plain_insert(table).values({table.c[name]: bindparam(name) for name in names})
        )
        self.copy = _Copy(
            f"COPY {table.name} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)",
            [_type_name(table, name) for name in names],
            itemgetter(*names),
        )


def _type_name(table: Table, name: str) -> str:
    dialect = psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
    return table.c[name].type.compile(dialect=dialect).lower()


def _compiled(statement: ClauseElement, dialect: Any) -> _Sql:
    compiled: Any = statement.compile(dialect=dialect)
    constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    return _Sql(str(compiled), _picked(tuple(compiled.positiontup), constants))


def _picked(order: tuple[str, ...], constants: Row) -> Callable[[Row], Sequence[Any]]:
    if len(order) > 1 and not constants:
        return itemgetter(*order)
    return lambda row: [row[name] if name in row else constants[name] for name in order]


@lru_cache(256)
def _together(statements: tuple[Statement, ...]) -> str:
    """All of them as one statement of Postgres, which gives how many rows the counted changed."""
    parts = [f"p{n} AS ({each.postgres().text} RETURNING 1)" for n, each in enumerate(statements)]
    counted = [f"(SELECT count(*) FROM p{n})" for n, each in enumerate(statements) if each.counted]  # noqa: S608 - names that are made here
    return f"WITH {', '.join(parts)} SELECT {' + '.join(counted) or '0'}"


class Driver:
    """The driver's cursor of one connection, for one transaction after another.

    The driver begins and commits by itself: SQLAlchemy's way costs a tenth of an event. Here the
    connection only comes from its pool.
    """

    def __init__(self, connection: Connection) -> None:
        self.is_postgres = connection.dialect.name == "postgresql"
        self._pooled = connection
        driver: Any = connection.connection.driver_connection
        self._connection = driver
        self._cursor: Any = driver.cursor()
        self._moment: datetime | None = None
        self._spelled: Any = None

    # A transaction

    def begin(self) -> Driver:
        """Enter a transaction that writes; leaving it commits, by an exception rolls back.

        Postgres' driver begins with the first statement.
        """
        if not self.is_postgres:
            self._cursor.execute("BEGIN IMMEDIATE")
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.commit()
        elif not self.gone:
            self._connection.rollback()

    @property
    def gone(self) -> bool:
        """Whether the connection was cut off."""
        return bool(getattr(self._connection, "closed", False))

    def close(self) -> None:
        """Give the connection back to its pool."""
        self._pooled.close()

    # Statements

    def first(self, statement: Statement, values: dict[str, Any]) -> tuple[Any, ...] | None:
        """The first row, as the driver gives it."""
        sql = self._sql(statement)
        self._cursor.execute(sql.text, sql.parameters(values))
        row: tuple[Any, ...] | None = self._cursor.fetchone()
        return row

    def all(self, statement: Statement, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All rows, as the driver gives them."""
        sql = self._sql(statement)
        self._cursor.execute(sql.text, sql.parameters(values))
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def write(self, changes: Sequence[Change]) -> int:
        """Write rows of several tables; gives how many rows the counted statements changed.

        No row may be written twice. A few go to Postgres in one round trip.
        """
        if self.is_postgres and sum(len(rows) for _, rows in changes) <= _TOGETHER:
            return self._write_together(changes)
        return sum(
            changed
            for statement, rows in changes
            if (changed := self.run(statement, rows)) and statement.counted
        )

    def _write_together(self, changes: Sequence[Change]) -> int:
        parts = tuple(statement for statement, rows in changes for _ in rows)
        if not parts:
            return 0
        values: list[Any] = []
        for statement, rows in changes:
            for row in rows:
                values += statement.postgres().parameters(row)
        self._cursor.execute(_together(parts), values)
        changed: int = self._cursor.fetchone()[0]
        return changed

    def all_of(self, statement: Statement, wanted: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows for any number of wanted values, or of tuples of them: as JSON on SQLite.

        None of them may hold U+0000, where SQLite ends a text that it reads from JSON.
        """
        if not wanted:
            return []
        if not self.is_postgres:
            return self.all(statement, {"wanted": orjson.dumps(wanted).decode()})
        if not isinstance(wanted[0], tuple):
            return self.all(statement, {"wanted": wanted})
        columns = enumerate(zip(*wanted, strict=True))
        return self.all(statement, {f"wanted{n}": list(column) for n, column in columns})

    def run(self, statement: Statement, rows: Sequence[Row]) -> int:
        """Run it for each row; gives how many rows were changed."""
        sql = self._sql(statement)
        if not rows:
            return 0
        if len(rows) == 1:
            self._cursor.execute(sql.text, sql.parameters(rows[0]))
        elif self.is_postgres and statement.copy:
            self._stream(statement.copy, rows)
        else:
            self._cursor.executemany(sql.text, [sql.parameters(row) for row in rows])
        changed: int = self._cursor.rowcount
        return changed

    def _stream(self, copy: _Copy, rows: Sequence[Row]) -> None:
        with self._cursor.copy(copy.text) as stream:
            stream.set_types(copy.types)
            for row in rows:
                stream.write_row(copy.parameters(row))

    def instant(self, moment: datetime | None) -> Any:
        """A time as the driver wants it; see `sms_fsm.store.columns.Instant`."""
        if moment is None or self.is_postgres:
            return moment
        # An event's time goes into several rows.
        if moment is not self._moment:
            self._moment = moment
            self._spelled = moment.astimezone(UTC).isoformat(timespec="microseconds")
        return self._spelled

    def _sql(self, statement: Statement) -> _Sql:
        return statement.postgres() if self.is_postgres else statement.sqlite()


class Looker(Driver):
    """One that only reads, a statement at a time: each is its own transaction."""

    def begin(self) -> Driver:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Nothing was begun."""
