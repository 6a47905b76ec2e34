"""Statements built once and run on the driver's own cursor: the hot path's way to the database.

Measured, an ORM session costs six times and even prebuilt Core statements cost twice of what the
driver's cursor costs. The statements are still made from the tables, so nothing is spelled twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.sql.expression import ClauseElement

Insert = Callable[[Any], PostgresInsert]
"""Makes an insert of the dialect at hand, which knows ``ON CONFLICT``."""

Build = Callable[[Insert], ClauseElement]


class _Sql(NamedTuple):
    """SQL text, the names of its parameters in order, and the values of those that never change."""

    text: str
    order: tuple[str, ...]
    constants: dict[str, Any]

    def parameters(self, values: dict[str, Any]) -> list[Any]:
        return [values[name] if name in values else self.constants[name] for name in self.order]


class Statement:
    """One statement for both dialects.

    Args:
        build: makes it from the tables, given the dialect's insert.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self.sqlite = cache(self._for_sqlite)
        self.postgres = cache(self._for_postgres)

    def _for_sqlite(self) -> _Sql:
        dialect = pysqlite.dialect(paramstyle="qmark")
        return _compiled(self._build(insert_sqlite), dialect)  # type: ignore[arg-type]  # both inserts know ON CONFLICT

    def _for_postgres(self) -> _Sql:
        dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
        return _compiled(self._build(insert_postgres), dialect)


def _compiled(statement: ClauseElement, dialect: Any) -> _Sql:
    compiled: Any = statement.compile(dialect=dialect)
    constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    return _Sql(str(compiled), tuple(compiled.positiontup), constants)


class Driver:
    """The driver's cursor of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._cursor: Any = connection.connection.cursor()
        self.is_postgres = connection.dialect.name == "postgresql"

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

    def run(self, statement: Statement, rows: Sequence[dict[str, Any]]) -> int:
        """Run it for each row; gives how many rows were changed."""
        sql = self._sql(statement)
        if len(rows) == 1:
            self._cursor.execute(sql.text, sql.parameters(rows[0]))
        else:
            self._cursor.executemany(sql.text, [sql.parameters(row) for row in rows])
        changed: int = self._cursor.rowcount
        return changed

    def instant(self, moment: datetime | None) -> Any:
        """A time as the driver wants it; see `sms_fsm.store.columns.Instant`."""
        if moment is None or self.is_postgres:
            return moment
        return moment.astimezone(UTC).isoformat(timespec="microseconds")

    def _sql(self, statement: Statement) -> _Sql:
        return statement.postgres() if self.is_postgres else statement.sqlite()
