"""Logs that a whole engine wrote, against the simulator, on both stores."""

from __future__ import annotations

import io

from world import World

from sms_fsm.replay import Bucket, ReplayReport, verify


def exported(world: World) -> list[str]:
    file = io.StringIO()
    world.engine.export_log(file)
    return file.getvalue().splitlines()


def assert_clean(report: ReplayReport) -> None:
    assert report.problems == ()
    assert report.divergences == ()
    assert report.clean
    assert report.judged == report.events > 0


def test_a_first_text_and_a_delivered_reply_replay_as_recorded(world: World) -> None:
    conversation = world.opened()
    message = world.replied(conversation)
    world.says(message, "sent")
    world.says(message, "delivered", "DELIVRD")
    report = verify(exported(world))
    assert_clean(report)
    assert report.conversations[Bucket.SAME] == 1
    assert report.events == len(world.engine.history(conversation))
