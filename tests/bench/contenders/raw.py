"""The limit: the driver alone, one transaction a text, the writes that the engine makes.

One statement a row, seven round trips on Postgres and one more for the row of the text itself. It
decides nothing and checks nothing, and writes constants as long as what the engine writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from bench.contenders.columns import CONVERSATION_DATA, DIGEST, EFFECT_DATA, EVENT, MESSAGE_DATA
from bench.contenders.contender import Contender
from bench.texts import BUSINESS, WORDS, Text

_REMEMBER = "INSERT INTO inbox VALUES (?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING"
_LOCK = (
    "SELECT id, state, seq, data, lane_head, log_hash FROM conversation "
    "WHERE customer = ? AND business = ? AND isolation = ''"
)
_SAVE = (
    "UPDATE conversation SET state = ?, seq = ?, data = ?, timer_due_at = ?, lane_head = ?, "
    "log_hash = ?, state_since = ? WHERE id = ?"
)
_TEXT = "INSERT INTO message (conversation, seq, data, body) VALUES (?, ?, ?, ?)"
_EVENT = "INSERT INTO event_log (conversation, seq, at, record, hash) VALUES (?, ?, ?, ?, ?)"
_PLAN = (
    "INSERT INTO outbox (id, conversation, name, state, position, data, message, timer, due_at, "
    "token, attempts, failures, looked_up, interrupted) "
    "VALUES (?, ?, 'PostMessage', ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?)"
)


class _Raw(Contender):
    """The transaction, for either driver."""

    def __init__(self, cursor: Any, mark: str, lock: str) -> None:
        self._cursor = cursor
        self._sql = {
            statement: statement.replace("?", mark)
            for statement in (_REMEMBER, _LOCK, _SAVE, _TEXT, _EVENT, _PLAN)
        }
        self._sql[_LOCK] += lock

    def _step(self, text: Text, now: Any) -> None:
        identity, state, seq, *_, head, _ = self._run(_LOCK, text.customer, BUSINESS).fetchone()
        seq += 1
        if self._run(_REMEMBER, text.message_id, DIGEST, identity, seq).rowcount != 1:
            return
        effect = f"{identity}:{seq}:0"
        waits = "queued" if head else "pending"
        self._run(_TEXT, identity, seq, MESSAGE_DATA, WORDS.encode())
        self._run(_EVENT, identity, seq, now, EVENT, DIGEST)
        self._run(
            _PLAN, effect, identity, waits, seq * 64, EFFECT_DATA, seq, False, now, False, False
        )
        self._run(_SAVE, state, seq, CONVERSATION_DATA, now, head or effect, DIGEST, now, identity)

    def _run(self, statement: str, *values: Any) -> Any:
        return self._cursor.execute(self._sql[statement], values)


class RawSqlite(_Raw):
    """The standard library's ``sqlite3``."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(
            url.removeprefix("sqlite:///"), isolation_level=None, cached_statements=256
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        super().__init__(self._connection.cursor(), "?", "")

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            self._connection.execute("BEGIN IMMEDIATE")
            self._step(text, datetime.now(UTC).isoformat(timespec="microseconds"))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class RawPostgres(_Raw):
    """``psycopg`` with prepared statements, one round trip each."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=2)
        super().__init__(self._connection.cursor(), "%s", " FOR UPDATE")

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            with self._connection.transaction():
                self._step(text, datetime.now(UTC))

    def close(self) -> None:
        self._connection.close()
