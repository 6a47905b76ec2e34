"""Logs of long-running commands: one JSON object a line, whatever is in it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from sms_fsm.cli.log_lines import json_log_lines
from sms_fsm.logs import get_logger

HOSTILE = 'x\n{"event": "forged"}\r\x1b[2J\u2028\x00'


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line of stderr; each must be JSON and nothing else."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_keeps_its_name_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with json_log_lines():
        get_logger("sms_fsm.test").warning("thing.happened", number=3)

    (line,) = lines_of(capsys)
    assert (line["event"], line["number"]) == ("thing.happened", 3)
    assert (line["level"], line["logger"]) == ("warning", "sms_fsm.test")


def test_a_hostile_text_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with json_log_lines():
        get_logger("sms_fsm.test").info("thing.happened", text=HOSTILE)
        logging.getLogger("sms_fsm.test").info("said: %s", HOSTILE)

    event, foreign = lines_of(capsys)
    assert event["text"] == HOSTILE
    assert foreign["event"] == f"said: {HOSTILE}"


def test_an_exception_is_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    with json_log_lines():
        try:
            int(HOSTILE)
        except ValueError:
            get_logger("sms_fsm.test").exception("thing.broke")
            logging.getLogger("sms_fsm.test").exception("it broke, too")

    for line in lines_of(capsys):
        assert "ValueError" in line["exception"]


def test_libraries_are_heard_only_when_something_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with json_log_lines():
        logging.getLogger("somebody").info("chatter")
        logging.getLogger("somebody").warning("trouble")
        get_logger("sms_fsm.test").debug("detail")

    assert [line["event"] for line in lines_of(capsys)] == ["trouble"]


def test_everything_is_set_back(capsys: pytest.CaptureFixture[str]) -> None:
    root, ours = logging.getLogger(), logging.getLogger("sms_fsm")
    before = (root.handlers[:], root.level, ours.level)

    with json_log_lines():
        pass

    assert (root.handlers, root.level, ours.level) == before
