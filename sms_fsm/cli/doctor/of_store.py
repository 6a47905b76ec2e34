"""The store: is it there, up to date and durable, and does anything wait in it too long?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sms_fsm.cli.doctor.finding import Finding, fine, warning, wrong
from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.stores import require_file
from sms_fsm.config import Settings
from sms_fsm.diagram.durations import about
from sms_fsm.errors import SettingsError, StoreUnavailable
from sms_fsm.store import Database, Queries, open_database, schema_is_current

_SILENT_AFTER = timedelta(hours=24)
_MOST_LISTED = 10
_OFF = "off"
_UPGRADE = "run `sms-fsm db upgrade`"


def reachable_store(settings: Settings) -> tuple[Database | None, list[Finding]]:
    """The store if questions can be asked of it, and what was found on the way there."""
    try:
        require_file(settings)
    except (CommandError, SettingsError) as error:
        return None, [wrong("database", str(error), f"{_UPGRADE}, or mend SMS_FSM_DATABASE_URL")]
    try:
        database = open_database(settings.database_url)
        current = schema_is_current(database)
    except (SettingsError, StoreUnavailable) as error:
        mend = "check SMS_FSM_DATABASE_URL, and that the server is up and lets you in"
        return None, [wrong("database", str(error), mend)]
    kind = "SQLite file" if database.is_sqlite else "Postgres"
    found = [fine("database", f"reachable ({kind})")]
    if not current:
        database.close()
        return None, [*found, wrong("schema", "missing or not up to date", _UPGRADE)]
    return database, [*found, fine("schema", "up to date")]


def store_findings(queries: Queries) -> Iterator[Finding]:
    """Durability, texts without a carrier's word, dead letters."""
    yield from _durability(queries)
    yield _silences(queries)
    yield _dead_letters(queries)


def _durability(queries: Queries) -> Iterator[Finding]:
    settings = queries.durability()
    off = [name for name, value in settings.items() if value == _OFF]
    for name in off:
        said = f"{name} is off: what was acknowledged can be lost when the server fails"
        yield wrong("durability", said, f"set {name} = on in postgresql.conf")
    if settings and not off:
        listed = ", ".join(f"{name} {value}" for name, value in settings.items())
        yield fine("durability", listed)


def _silences(queries: Queries) -> Finding:
    now = datetime.now(UTC)
    found = queries.silences(now - _SILENT_AFTER, _MOST_LISTED + 1)
    if not found:
        return fine("delivery", "no text waits for its carrier's last word for over 24 hours")
    listed = ", ".join(
        f"{one.key} of {one.conversation} ({one.status}, {about(now - one.since)})"
        for one in found[:_MOST_LISTED]
    )
    more = " and more" if len(found) > _MOST_LISTED else ""
    mend = "check that delivery.status webhooks arrive; ask the carrier for these texts"
    return warning("delivery", f"no last word from a carrier: {listed}{more}", mend)


def _dead_letters(queries: Queries) -> Finding:
    count = len(queries.dead_letters())
    if not count:
        return fine("dead letters", "none")
    mend = "see `sms-fsm dead-letters`; when the cause is mended, `sms-fsm retry ID`"
    return warning("dead letters", f"{count} effect{'s' if count > 1 else ''} gave up", mend)
