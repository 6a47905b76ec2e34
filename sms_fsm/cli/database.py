"""``db``: the schema of the store."""

from __future__ import annotations

import typer

from sms_fsm.cli.options import DatabaseUrl
from sms_fsm.cli.terminal import line
from sms_fsm.config import Settings
from sms_fsm.store import open_database, schema_is_current
from sms_fsm.store import upgrade as bring_up_to_date

commands = typer.Typer(no_args_is_help=True, help="Look after the store's schema.")


@commands.callback()
def group() -> None:
    """Look after the store's schema."""


@commands.command()
def upgrade(*, database_url: DatabaseUrl = None) -> None:
    """Bring the schema up to date; an SQLite file that is not there is made.

    Safe to run at any time and from several hosts at once: one works, the others wait.
    """
    database = open_database(Settings.from_env(database_url=database_url).database_url)
    try:
        was_current = schema_is_current(database)
        bring_up_to_date(database)
    finally:
        database.close()
    line("the schema was up to date" if was_current else "the schema is up to date now")
