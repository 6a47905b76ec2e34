"""Column types that mean the same on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import TIMESTAMP, Dialect, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine


class Instant(TypeDecorator[datetime]):
    """An aware UTC ``datetime``: TIMESTAMPTZ on Postgres, sortable ISO text on SQLite."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(32))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return moment
        return moment.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, _: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC)


class Json(TypeDecorator[Mapping[str, Any]]):
    """A JSON object as text: U+0000 survives, which Postgres' own type refuses."""

    impl = Text()
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, _: Dialect) -> Any:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, _: Dialect) -> Mapping[str, Any] | None:
        if value is None:
            return None
        found: Mapping[str, Any] = orjson.loads(value)
        return found
