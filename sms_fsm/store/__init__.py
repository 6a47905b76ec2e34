"""The durable store: SQLite beside the host, or Postgres for many."""

from sms_fsm.store.bell import Bell
from sms_fsm.store.board import Backlog, Board
from sms_fsm.store.database import Database, open_database
from sms_fsm.store.health import check_writable
from sms_fsm.store.migrations import schema_is_current, upgrade
from sms_fsm.store.queries import CarrierFigures, Queries
from sms_fsm.store.repository import Repository
from sms_fsm.store.tokens import SqlTokenStore

__all__ = [
    "Backlog",
    "Bell",
    "Board",
    "CarrierFigures",
    "Database",
    "Queries",
    "Repository",
    "SqlTokenStore",
    "check_writable",
    "open_database",
    "schema_is_current",
    "upgrade",
]
