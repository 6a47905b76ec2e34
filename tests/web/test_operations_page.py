"""The page for operators of the machine names every figure and every alarm."""

from __future__ import annotations

import re
from pathlib import Path

from .serving import Client

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
_ALARM = re.compile(r"_?log\.(?:warning|error|exception)\(\s*\"([a-z_]+\.[a-z_]+)\"")


def _alarms() -> set[str]:
    """Names of all log events at level warning or above."""
    sources = (ROOT / "sms_fsm").rglob("*.py")
    return {name for source in sources for name in _ALARM.findall(source.read_text())}


def test_every_alarm_has_a_line_in_the_runbook() -> None:
    runbook = PAGE.partition("## Runbook")[2]
    assert {name for name in _alarms() if f"| `{name}` |" not in runbook} == set()
    assert len(_alarms()) >= 15


def test_every_figure_is_explained(service: Client) -> None:
    exposed = set(re.findall(r"^# TYPE (\w+)", service.get("/metrics").text, re.MULTILINE))
    named = {name for name in exposed if not name.endswith("_created")}
    assert {name for name in named if f"| `{name}" not in PAGE} == set()


def test_no_line_is_about_what_is_no_longer_there(service: Client) -> None:
    exposed = set(re.findall(r"^# TYPE (\w+)", service.get("/metrics").text, re.MULTILINE))
    assert set(re.findall(r"^\| `(smsfsm_\w+)", PAGE, re.MULTILINE)) <= exposed
    runbook = PAGE.partition("## Runbook")[2]
    assert set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", runbook, re.MULTILINE)) <= _alarms()


def test_its_links_and_pictures_are_there() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []
