"""What a transaction has decided and not yet written: rows that go out together at its end.

One event writes a handful of rows, a batch of events thousands; both go out as one statement a
table. Reads of the same transaction see the buffer first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sms_fsm.effects import EffectState
from sms_fsm.store import statements as sql
from sms_fsm.store.database import Conflict
from sms_fsm.store.driver import Driver

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
    finished: Rows = field(default_factory=list)
    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed_conversations: Rows = field(default_factory=list)
    counts: dict[tuple[str, str, int], int] = field(default_factory=dict)

    @property
    def has_queued(self) -> bool:
        """Whether an effect that is not yet written waits behind another."""
        return any(effect["state"] == EffectState.QUEUED.value for effect in self.effects)

    def flush(self, driver: Driver, *, last: bool = False) -> None:
        """Write everything; the figures wait for the ``last`` time.

        Raises:
            Conflict: another transaction took a key or a pair in the meantime.
        """
        for_now, for_ever = self._keys()
        changes = [
            # In one order for all, so that two transactions that take in the same do not deadlock.
            (sql.INSERT_CONVERSATION, sorted(self.new_conversations.values(), key=_pair)),
            (sql.REMEMBER, for_now),
            (sql.REMEMBER_FOR_EVER, for_ever),
            (sql.INSERT_MESSAGE, [*self.new_messages.values()]),
            (sql.UPDATE_MESSAGE, [*self.changed_messages.values()]),
            (sql.INSERT_EVENT, self.events),
            (sql.INSERT_EFFECT, self.effects),
            (sql.FINISH, self.finished),
            (sql.REGISTER_POST, [*self.posts.values()]),
            (sql.UPDATE_CONVERSATION, self.changed_conversations),
            (sql.COUNT, self._counts() if last else []),
        ]
        if driver.write([change for change in changes if change[1]]) != len(for_now):
            raise Conflict
        self._clear()

    def _keys(self) -> tuple[Rows, Rows]:
        """Those that expire, and those that do not."""
        rows = [self.keys[key] for key in sorted(self.keys)]
        for_now = [row for row in rows if row["expires_at"] is not None]
        return for_now, [row for row in rows if row["expires_at"] is None]

    def _counts(self) -> Rows:
        """In one order for all, so that two transactions cannot deadlock."""
        return [
            {"profile": profile, "kind": kind, "shard": shard, "count": count}
            for (profile, kind, shard), count in sorted(self.counts.items())
        ]

    def _clear(self) -> None:
        for rows in (self.keys, self.new_conversations, self.new_messages, self.changed_messages):
            rows.clear()
        for listed in (self.events, self.effects, self.finished, self.changed_conversations):
            listed.clear()
        self.posts.clear()


def _pair(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["customer"], row["business"], row["isolation"]
