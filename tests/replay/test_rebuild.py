"""The stored conversations are what their logs say; anything else is found and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from versions import SENDING, deploy, written
from world import BUSINESS, CUSTOMER, World

from sms_fsm import FailedMessage
from sms_fsm.replay import Drift, RebuildReport, rebuild
from sms_fsm.store import Database, open_database
from sms_fsm.store.stored_log import StoredLog

OTHER = "+15557654321"


def rebuilt(world: World) -> RebuildReport:
    database = open_database(world.settings.database_url)
    try:
        return rebuild(StoredLog(database))
    finally:
        database.close()


def tampered(world: World, statement: str, **values: Any) -> RebuildReport:
    """What is found after somebody wrote into the store."""
    database = open_database(world.settings.database_url)
    try:
        database.write(lambda connection: connection.execute(text(statement), values))
        return rebuild(StoredLog(database))
    finally:
        database.close()


def fields(report: RebuildReport) -> list[str]:
    return [drift.field for drift in report.drifts]


@pytest.fixture
def lived(make_world: Callable[..., World]) -> World:
    """Two conversations that went through much."""

    def fallback(_: FailedMessage) -> None:
        return

    world = make_world(fallback=fallback, carrier_lookup=lambda _: "carrier-a")
    first = world.opened()
    message = world.replied(first, "x" * 400)
    for part in range(len(message.message_ids)):
        world.says(message, "delivered", "DELIVRD", part=part)
    world.says(world.replied(first), "failed", "UNDELIV")
    world.clock.forward(seconds=61)
    world.engine.drain()
    world.engine.reply(first, "for the record", key="note", internal_note=True)
    world.engine.transfer(first, key="t", queue_id="queue_2")
    world.engine.drain()
    world.engine.archive(first)
    world.text("are you there?")
    world.engine.drain()
    second = world.text("stop", from_=OTHER).conversation
    world.engine.drain()
    assert second is not None
    return world


def test_what_is_stored_is_what_the_log_gives(lived: World) -> None:
    report = rebuilt(lived)
    assert report.drifts == ()
    assert report.clean
    assert report.conversations == 2
    events = [lived.engine.history(c.id) for c in lived.engine.conversations()]
    assert report.events == sum(map(len, events))


def test_an_empty_store_has_no_drift(world: World) -> None:
    assert rebuilt(world) == RebuildReport(0, 0, (), 0)


@pytest.mark.parametrize(
    ("field", "value", "statement"),
    [
        ("state", "archived", "UPDATE conversation SET state = :value WHERE id = :id"),
        ("graph_hash", "0" * 64, "UPDATE conversation SET graph_hash = :value WHERE id = :id"),
        (
            "conversation_id",
            "c-9",
            "UPDATE conversation SET conversation_id = :value WHERE id = :id",
        ),
        ("log_hash", "0" * 64, "UPDATE conversation SET log_hash = :value WHERE id = :id"),
    ],
)
def test_a_column_that_was_changed_is_named(
    lived: World, field: str, value: str, statement: str
) -> None:
    conversation = lived.engine.conversations()[1]
    report = tampered(lived, statement, value=value, id=conversation.id)
    (drift,) = report.drifts
    assert (drift.conversation, drift.field, drift.stored) == (conversation.id, field, value)
    assert drift.folded == getattr(conversation, field, drift.folded)
    assert not report.clean


def test_a_number_that_is_ahead_of_the_log_shows_a_removed_tail(lived: World) -> None:
    identity = lived.engine.conversations()[0].id
    seq = lived.conversation(identity).seq
    report = tampered(
        lived,
        "DELETE FROM event_log WHERE conversation = :id AND seq > :seq",
        id=identity,
        seq=seq - 1,
    )
    assert Drift(identity, "seq", seq, seq - 1) in report.drifts
    assert "log_hash" in fields(report)


def test_a_log_that_is_gone_is_found(lived: World) -> None:
    identity = lived.engine.conversations()[0].id
    report = tampered(lived, "DELETE FROM event_log WHERE conversation = :id", id=identity)
    assert Drift(identity, "seq", lived.conversation(identity).seq, 0) in report.drifts


def test_events_without_a_conversation_are_found(lived: World) -> None:
    identity = lived.engine.conversations()[1].id
    count = len(lived.engine.history(identity))
    report = tampered(lived, "DELETE FROM conversation WHERE id = :id", id=identity)
    assert report.drifts == (Drift(identity, "conversation", None, f"{count} events"),)


def test_data_that_were_changed_are_named_field_by_field(lived: World) -> None:
    conversation = lived.engine.conversations()[0]
    data = {**conversation.to_data(), "outstanding": 7, "timers": {}}
    report = tampered(
        lived,
        "UPDATE conversation SET data = :data WHERE id = :id",
        data=orjson.dumps(data).decode(),
        id=conversation.id,
    )
    assert fields(report) == ["data.outstanding", "data.timers"]
    assert report.drifts[0].stored == 7
    assert report.drifts[0].folded == conversation.outstanding


def test_a_text_that_was_changed_is_named_with_its_number(lived: World) -> None:
    identity = lived.engine.conversations()[0].id
    message = lived.conversation(identity).messages[1]
    data = {**message.to_data(), "status": "queued"}
    report = tampered(
        lived,
        "UPDATE message SET data = :data WHERE conversation = :id AND seq = :seq",
        data=orjson.dumps(data).decode(),
        id=identity,
        seq=message.seq,
    )
    expected = Drift(identity, f"message {message.seq}.status", "queued", message.status)
    assert report.drifts == (expected,)


def test_a_text_that_is_gone_is_named_with_its_number(lived: World) -> None:
    identity = lived.engine.conversations()[0].id
    seq = lived.conversation(identity).messages[0].seq
    report = tampered(
        lived, "DELETE FROM message WHERE conversation = :id AND seq = :seq", id=identity, seq=seq
    )
    assert report.drifts == (Drift(identity, f"message {seq}", None, "a text"),)


@pytest.mark.parametrize("record", ["", "garbage", "{}", '{"seq":3}'])
def test_a_record_that_is_none_is_named(lived: World, record: str) -> None:
    identity = lived.engine.conversations()[0].id
    report = tampered(
        lived,
        "UPDATE event_log SET record = :record WHERE conversation = :id AND seq = 3",
        record=record,
        id=identity,
    )
    assert "log" in fields(report)
    assert {drift.conversation for drift in report.drifts} == {identity}


def test_data_that_cannot_be_read_are_a_drift_and_stop_nothing(lived: World) -> None:
    identity = lived.engine.conversations()[0].id
    report = tampered(
        lived, "UPDATE conversation SET data = '{\"timers\": 3}' WHERE id = :id", id=identity
    )
    assert "data.timers" in fields(report)
    assert report.conversations == 2


def test_an_erased_body_is_no_drift(lived: World) -> None:
    assert tampered(lived, "UPDATE message SET body = NULL").clean


def test_no_drift_holds_a_text_or_a_number(lived: World) -> None:
    report = tampered(lived, "UPDATE message SET data = '{}'")
    shown = repr(report)
    assert report.drifted > 0
    for secret in (CUSTOMER, OTHER, BUSINESS, "for the record", "are you there?"):
        assert secret not in shown


def test_many_conversations_come_in_pages(world: World, database_url: str) -> None:
    for number in range(205):
        world.text(from_=f"+1555{number:07d}" if number else CUSTOMER)
    report = rebuilt(world)
    assert report.clean
    assert report.conversations == 205


def test_the_database_is_only_read(lived: World) -> None:
    class ReadOnly(Database):
        def write(self, work: Callable[..., Any]) -> Any:
            raise AssertionError(work)

    opened = open_database(lived.settings.database_url)
    assert rebuild(StoredLog(ReadOnly(opened.engine))).clean
    opened.close()


def test_a_conversation_that_moved_to_another_version_is_folded_across_it(
    world: World, tmp_path: Path
) -> None:
    identity = world.opened()
    deploy(world, written(tmp_path, SENDING))
    world.engine.migrate()
    world.replied(identity)
    report = rebuilt(world)
    assert report.drifts == ()
    assert report.events == len(world.engine.history(identity))
