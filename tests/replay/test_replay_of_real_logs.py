"""Logs that a whole engine wrote, against the simulator, on both stores."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from world import BUSINESS, CUSTOMER, World

from sms_fsm import Conversation, FailedMessage, Registry, TransitionRefused
from sms_fsm.events import Event
from sms_fsm.graph import default_graph_text
from sms_fsm.replay import Bucket, ProblemCode, ReplayReport, verify


def exported(world: World, **options: Any) -> list[str]:
    file = io.StringIO()
    world.engine.export_log(file, **options)
    return file.getvalue().splitlines()


def assert_clean(report: ReplayReport) -> None:
    assert report.problems == ()
    assert report.divergences == ()
    assert report.clean
    assert report.judged == report.events > 0


def graph_with(folder: Path, old: str, new: str) -> Path:
    text = default_graph_text()
    assert text.count(old) == 1
    path = folder / "states.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.fixture
def lived(make_world: Callable[..., World]) -> World:
    """Conversations that went through all states."""

    def fallback(_: FailedMessage) -> None:
        return

    world = make_world(fallback=fallback, carrier_lookup=lambda _: "carrier-a")
    first = world.opened()
    message = world.replied(first, "x" * 400)
    for part in range(len(message.message_ids)):
        world.says(message, "sent", part=part)
        world.says(message, "delivered", "DELIVRD", part=part)
    for seconds in (60, 300, 900, 0):
        message = message if seconds < 60 else world.replied(first, f"again {seconds}")
        world.says(message, "failed", "UNDELIV")
        world.clock.forward(seconds=seconds + 1)
        world.engine.drain()
    world.engine.reply(first, "for the record", key="note", internal_note=True)
    world.engine.transfer(first, key="t", queue_id="queue_2", skills=["billing"], priority=2)
    world.engine.drain()
    world.engine.archive(first, key="a")
    world.text("are you there?")
    world.engine.drain()
    world.clock.forward(days=4)
    world.engine.drain()
    world.text("STOP", from_="+15557654321")
    world.engine.drain()
    return world


def test_a_first_text_and_a_delivered_reply_replay_as_recorded(world: World) -> None:
    conversation = world.opened()
    message = world.replied(conversation)
    world.says(message, "sent")
    world.says(message, "delivered", "DELIVRD")
    report = verify(exported(world))
    assert_clean(report)
    assert report.conversations[Bucket.SAME] == 1
    assert report.events == len(world.engine.history(conversation))


def test_a_long_life_replays_as_recorded(lived: World) -> None:
    report = verify(exported(lived))
    assert_clean(report)
    assert report.conversations[Bucket.SAME] == 2
    (coverage,) = report.coverage
    assert set(coverage.states) <= {"failed", "active", "delivered"}
    ran = {transition.id for transition in coverage.transitions}
    assert "archive" not in {t.id for t in coverage.transitions if t.source == "routed"} or ran


def test_one_conversation_can_be_replayed_alone(lived: World) -> None:
    identity = lived.engine.conversations()[0].id
    report = verify(exported(lived, conversation=identity))
    assert_clean(report)
    assert report.events == len(lived.engine.history(identity))


def test_an_export_from_some_time_on_says_which_conversations_it_cannot_replay(
    lived: World,
) -> None:
    since = lived.clock.now - timedelta(hours=1)
    report = verify(exported(lived, since=since))
    assert {problem.code for problem in report.problems} == {ProblemCode.MIDDLE}
    assert report.conversations[Bucket.SAME] == 1


def test_a_removed_last_event_is_found(lived: World) -> None:
    lines = exported(lived)
    (problem,) = verify(lines[:-1]).problems
    assert (problem.line, problem.code) == (len(lines) - 1, ProblemCode.CUT)


def test_an_edited_state_is_found_in_its_line(lived: World) -> None:
    lines = exported(lived)
    index = next(n for n, line in enumerate(lines) if '"target":"archived"' in line)
    lines[index] = lines[index].replace('"target":"archived"', '"target":"routed"')
    report = verify(lines)
    (problem,) = report.problems
    assert (problem.line, problem.code) == (index + 1, ProblemCode.ALTERED)
    assert report.divergences == ()


def test_a_refused_command_is_in_the_log_and_replays(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    graph = graph_with(
        tmp_path,
        "  - id: transfer\n    from: any but new, archived",
        "  - id: transfer\n    from: [active]",
    )
    world = make_world(graph=graph)
    conversation = world.opened()
    with pytest.raises(TransitionRefused):
        world.engine.transfer(conversation, key="t", queue_id="queue_2")
    world.replied(conversation)
    lines = exported(world)
    assert sum('"refused":true' in line for line in lines) == 1
    assert_clean(verify(lines))


def is_vip(_: Conversation, event: Event) -> bool:
    return event.data["keyword"] is None


def test_a_hosts_guard_is_replayed_with_its_registry(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    registry = Registry()
    registry.guard("is_vip", is_vip)
    graph = graph_with(
        tmp_path,
        "    on: MessageReceived\n    do: [post_message]\n  - id: reply\n",
        "    on: MessageReceived\n    when: [is_vip]\n    do: [post_message]\n  - id: reply\n",
    )
    world = make_world(graph=graph, registry=registry)
    world.opened()
    world.text("again")
    world.engine.drain()
    lines = exported(world)
    assert_clean(verify(lines, registry=registry))
    (problem,) = verify(lines).problems
    assert (problem.line, problem.code) == (1, ProblemCode.GRAPH)
    assert "is_vip" in problem.reason


def test_no_report_holds_a_text_or_a_number(lived: World) -> None:
    lines = exported(lived)
    lines[4] = lines[4].replace('"seq":', f'"{CUSTOMER}":')
    lines[7] = lines[7].replace('"conversation":"', f'"conversation":"{"x" * 100}')
    shown = repr(verify(lines))
    for secret in (CUSTOMER, BUSINESS, "x" * 100, "for the record", "are you there?"):
        assert secret not in shown
