"""What came from outside: keys that were taken in, callbacks that came too early, figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Integer, Table, bindparam, delete, func, select, tuple_

from sms_fsm.events import digest
from sms_fsm.ports import Known
from sms_fsm.store import statements as sql
from sms_fsm.store.ahead import Remembered
from sms_fsm.store.driver import Statement
from sms_fsm.store.statements import INBOX, PARKED
from sms_fsm.store.transaction import Transaction, as_json

_COUNT_SHARDS = 16

_IS_PARKED = Statement(
    lambda _: select(PARKED.c.about).where(PARKED.c.about == bindparam("about")).limit(1)
)
_PARKED_ALREADY = Statement(
    lambda _: select(func.count()).select_from(PARKED).where(PARKED.c.about == bindparam("about"))
)
_PARK = Statement(
    lambda dialect: (
        dialect.insert(PARKED)
        .values({column: bindparam(column.name) for column in PARKED.c})
        .on_conflict_do_nothing()
        .returning(PARKED.c.number)
    )
)
_UNPARK = Statement(
    lambda _: (
        delete(PARKED)
        .where(PARKED.c.about == bindparam("about"))
        .returning(PARKED.c.number, PARKED.c.data)
    )
)


def _forgetting(table: Table) -> Statement:
    key = tuple(table.primary_key)
    over = (
        select(*key)
        .where(table.c.expires_at.is_not(None), table.c.expires_at <= bindparam("now"))
        .limit(bindparam("limit", type_=Integer))
    )
    return Statement(lambda _: delete(table).where(tuple_(*key).in_(over)))


_FORGET = (_forgetting(INBOX), _forgetting(PARKED))


class Inbox(Transaction):
    """The inbox' part of a unit of work."""

    def known(self, key: str, now: datetime) -> Known | None:
        """What was taken in under this key, unless its time is over."""
        if key not in self._keys:
            row = self._driver.first(sql.KNOWN, {"key": key})
            self._keys[key] = None if row is None else Remembered(*row)
        found = self._keys[key]
        if found is None or (found.expires_at and found.expires_at <= self._driver.instant(now)):
            return None
        return Known(found.digest, found.conversation, found.seq)

    def remember(
        self,
        key: str,
        *,
        digest: str,
        conversation: str,
        seq: int,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> None:
        """Take a key in; two transactions that do so at once conflict, and one runs again."""
        until = self._driver.instant(expires_at)
        self._keys[key] = Remembered(digest, conversation, seq, until)
        self._buffer.keys[key] = {
            "key": key,
            "digest": digest,
            "conversation": conversation,
            "seq": seq,
            "expires_at": until,
            "now": self._driver.instant(now),
        }

    def park(self, about: str, data: Mapping[str, Any], *, expires_at: datetime) -> bool:
        """Keep a callback about something unknown; False if it was kept already."""
        before = self._driver.first(_PARKED_ALREADY, {"about": about})
        row = {
            "about": about,
            "digest": digest(*(f"{name}={value}" for name, value in sorted(data.items()))),
            "number": before[0] if before else 0,
            "data": as_json(data),
            "expires_at": self._driver.instant(expires_at),
        }
        return self._driver.first(_PARK, row) is not None

    def unpark(self, about: str) -> tuple[Mapping[str, Any], ...]:
        """The callbacks kept for this, in order of arrival; they are gone afterwards."""
        if self._driver.first(_IS_PARKED, {"about": about}) is None:
            return ()
        rows = sorted(self._driver.all(_UNPARK, {"about": about}))
        return tuple(orjson.loads(data) for _, data in rows)

    def count(self, profile: str | None, kind: str, conversation: str) -> None:
        """One more of this kind for a carrier profile; sharded, so that writers do not queue."""
        shard = sum(conversation.encode()) % _COUNT_SHARDS
        key = (profile or "unknown", kind, shard)
        self._buffer.counts[key] = self._buffer.counts.get(key, 0) + 1

    def forget(self, now: datetime, *, limit: int) -> int:
        """Remove keys and parked callbacks whose time is over, at most ``limit`` of each."""
        values = {"now": self._driver.instant(now), "limit": limit}
        return sum(self._driver.run(statement, [values]) for statement in _FORGET)
