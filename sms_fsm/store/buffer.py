"""What a transaction has decided and not yet written: rows that go out together at its end.

One event writes a handful of rows, a batch of events thousands; both go out as one statement a
table. Reads of the same transaction see the buffer first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sms_fsm.store import statements as sql
from sms_fsm.store.database import Conflict
from sms_fsm.store.driver import Driver, Statement

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class Buffer:
    """Rows by table; where a row may change again, by its key: only its last state is written."""

    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    new_conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    new_messages: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    changed_messages: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    events: Rows = field(default_factory=list)
    effects: Rows = field(default_factory=list)
    posts: Rows = field(default_factory=list)
    counts: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def flush(self, driver: Driver) -> None:
        """Write everything but the figures, which wait for the end.

        Raises:
            Conflict: another transaction took a key or a pair in the meantime.
        """
        # In one order for all, so that two transactions that take in the same do not deadlock.
        _run(driver, sql.INSERT_CONVERSATION, sorted(self.new_conversations.values(), key=_pair))
        keys = [self.keys[key] for key in sorted(self.keys)]
        if _run(driver, sql.REMEMBER, keys) != len(keys):
            raise Conflict
        _run(driver, sql.INSERT_MESSAGE, list(self.new_messages.values()))
        _run(driver, sql.UPDATE_MESSAGE, list(self.changed_messages.values()))
        _run(driver, sql.INSERT_EVENT, self.events)
        _run(driver, sql.INSERT_EFFECT, self.effects)
        for post in self.posts:
            driver.run(sql.REGISTER_POST, [post])
        for rows in (self.keys, self.new_conversations, self.new_messages, self.changed_messages):
            rows.clear()
        for listed in (self.events, self.effects, self.posts):
            listed.clear()

    def flush_counts(self, driver: Driver) -> None:
        """Write the figures, in one order for all, so that two transactions cannot deadlock."""
        rows = [
            {"profile": profile, "kind": kind, "shard": shard, "count": count}
            for (profile, kind, shard), count in sorted(self.counts.items())
        ]
        _run(driver, sql.COUNT, rows)
        self.counts.clear()


def _pair(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["customer"], row["business"], row["isolation"]


def _run(driver: Driver, statement: Statement, rows: Rows) -> int:
    return driver.run(statement, rows) if rows else 0
