"""Whether the store could take something in now."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sms_fsm.errors import StoreUnavailable
from sms_fsm.store.database import Database
from sms_fsm.store.statements import CONVERSATION, EVENT, INBOX


def check_writable(database: Database) -> None:
    """Take the writer's turn and give it back: nothing is changed.

    Raises:
        StoreUnavailable: the store is locked, gone, or a standby that only reads.
    """
    database.write(_probe)


def _probe(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    setting = text("SELECT current_setting('transaction_read_only')")
    if connection.execute(setting).scalar() == "on":
        raise StoreUnavailable("the store is unavailable: it only reads")
    # The lock that an insert would take.
    tables = ", ".join(table.name for table in (CONVERSATION, EVENT, INBOX))
    connection.execute(text(f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE"))
