"""The access token that processes share: one row, one renewer at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert_postgres
from sqlalchemy.dialects.sqlite import insert as upsert_sqlite

from sms_fsm.store.columns import Instant
from sms_fsm.store.database import Database
from sms_fsm.store.tables import TokenRow

TOKEN = TokenRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
_ONLY = 1


class SqlTokenStore:
    """Fulfils `sms_fsm.ports.TokenStore` over the engine's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> tuple[int, bytes] | None:
        def find(connection: Connection) -> tuple[int, bytes] | None:
            row = connection.execute(
                select(TOKEN.c.version, TOKEN.c.ciphertext).where(TOKEN.c.id == _ONLY)
            ).first()
            return (row.version, row.ciphertext) if row and row.ciphertext else None

        return self._database.read(find)

    def save(self, ciphertext: bytes, holder: str) -> int:
        def store(connection: Connection) -> int:
            self._ensure_row(connection)
            version: int = connection.execute(
                update(TOKEN)
                .where(TOKEN.c.id == _ONLY)
                .values(
                    version=TOKEN.c.version + 1,
                    ciphertext=ciphertext,
                    holder=case((TOKEN.c.holder == holder, None), else_=TOKEN.c.holder),
                )
                .returning(TOKEN.c.version)
            ).scalar_one()
            return version

        return self._database.write(store)

    def lease(self, holder: str, seconds: float) -> bool:
        def take(connection: Connection) -> bool:
            self._ensure_row(connection)
            now, until = _real_time(connection, seconds)
            free = or_(TOKEN.c.holder.is_(None), TOKEN.c.holder == holder, TOKEN.c.held_until < now)
            taken = connection.execute(
                update(TOKEN)
                .where(TOKEN.c.id == _ONLY, free)
                .values(holder=holder, held_until=until)
                .returning(TOKEN.c.id)
            ).scalar()
            return taken is not None

        return self._database.write(take)

    def release(self, holder: str) -> None:
        def give_back(connection: Connection) -> None:
            connection.execute(
                update(TOKEN)
                .where(TOKEN.c.id == _ONLY, TOKEN.c.holder == holder)
                .values(holder=None, held_until=None)
            )

        self._database.write(give_back)

    @staticmethod
    def _ensure_row(connection: Connection) -> None:
        postgres = connection.dialect.name == "postgresql"
        insert: Any = upsert_postgres if postgres else upsert_sqlite
        connection.execute(insert(TOKEN).values(id=_ONLY, version=0).on_conflict_do_nothing())


def _real_time(
    connection: Connection, seconds: float
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    if connection.dialect.name == "postgresql":
        now: ColumnElement[Any] = func.clock_timestamp()
        return now, now + timedelta(seconds=seconds)
    present = datetime.now(UTC)
    return literal(present, Instant), literal(present + timedelta(seconds=seconds), Instant)
