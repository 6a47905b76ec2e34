"""README says what is true: its example runs, its links lead somewhere, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from sms_fsm.cli.app import app
from sms_fsm.simulator import Simulator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    simulator = Simulator()
    with simulator.serve() as url:
        program = (
            example.replace("https://cxone.example.com", url)
            .replace('client_id="…"', 'client_id="demo-client"')
            .replace('client_secret="…"', 'client_secret="demo-secret"')
        )
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - our own page
    [conversation] = simulator.conversations
    texts = [m["content"]["text"] for m in simulator.messages(conversation["conversationId"])]
    assert texts == ["hi", "Hello!"]


def test_every_promise_names_a_test_that_exists() -> None:
    promises = re.findall(r"\[`(test_\w+)`\]\((tests/\S+)\)", README)
    assert len(promises) > 20
    for name, file in promises:
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), name


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_every_command_of_the_table_exists() -> None:
    rows = [row for row in README.splitlines() if row.startswith("| `sms-fsm ")]
    named = {
        word.removeprefix("sms-fsm ").split()[0]
        for row in rows
        for word in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    known = set(getattr(get_command(app), "commands", {}))
    assert len(named) > 15
    assert named <= known
