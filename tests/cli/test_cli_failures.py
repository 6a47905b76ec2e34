"""What is wrong is said in one clear line on stderr, with exit code 1 and without a traceback."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import Run, Stored

BROKEN_URLS = ("canary", "mysql://canary/db", "sqlite:///", "postgresql://host:canary/db")


def failing_line(run: Run, *arguments: object, **environment: str) -> str:
    """The one line that a command says when it fails."""
    ran = run(*arguments, **environment)
    assert ran.code == 1
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    return lines[0]


@pytest.mark.parametrize("url", BROKEN_URLS)
@pytest.mark.parametrize("command", ["list", "carriers", "dead-letters", "export", "db upgrade"])
def test_a_malformed_database_url_is_named_without_its_value(
    run: Run, command: str, url: str
) -> None:
    said = failing_line(run, *command.split(), "--database-url", url)

    assert said.startswith("sms-fsm: database_url: ")
    assert "canary" not in said


@pytest.mark.parametrize(
    "command", ["list", "show x", "carriers", "dead-letters", "export", "diagram --conversation x"]
)
def test_reading_creates_no_store(run: Run, tmp_path: Path, command: str) -> None:
    missing = tmp_path / "missing.db"

    said = failing_line(run, *command.split(), "--database-url", f"sqlite:///{missing}")

    assert said == f"sms-fsm: database_url: no such file: {missing}"
    assert not missing.exists()


def test_reading_changes_no_foreign_file(run: Run, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    foreign.touch()

    said = failing_line(run, "list", "--database-url", f"sqlite:///{foreign}")

    assert "sms-fsm db upgrade" in said
    with closing(sqlite3.connect(foreign)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_a_file_that_is_no_database_is_said_to_be_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes\n" * 100)

    said = failing_line(run, "list", "--database-url", f"sqlite:///{tmp_path}/notes.txt")

    assert "file is not a database" in said


@pytest.mark.parametrize("command", ["show", "export --conversation", "diagram --conversation"])
def test_an_unknown_conversation_is_said_to_be_unknown(
    run: Run, stored: Stored, command: str
) -> None:
    said = failing_line(run, *command.split(), "c-nobody", "--database-url", stored.url)

    assert "no conversation has" in said


def test_an_unknown_dead_letter_is_said_to_be_unknown(
    run: Run, stored: Stored, platform: object
) -> None:
    said = failing_line(run, "retry", "x:1:0", "--database-url", stored.url)

    assert said == "sms-fsm: no dead letter has this id"


def test_what_is_missing_to_call_cxone_is_named_a_line_each(run: Run, stored: Stored) -> None:
    ran = run("work", "--database-url", stored.url)

    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"sms-fsm: {name}: missing"
        for name in ("cxone_url", "client_id", "client_secret", "queue_id")
    ]


@pytest.mark.parametrize("command", ["check", "diagram", "diff", "replay", "doctor", "work"])
def test_a_malformed_variable_is_named_without_its_value(run: Run, command: str) -> None:
    ran = run("list", SMS_FSM_TOKEN_KEY="canary")

    assert ran.code == 1
    assert "token_key" in ran.err
    assert "canary" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("replay nowhere.jsonl", "nowhere.jsonl: No such file or directory"),
        ("diagram --log nowhere.jsonl", "nowhere.jsonl: No such file or directory"),
        ("replay .", ".: Is a directory"),
        ("diagram -o nowhere/graph.svg", "nowhere/graph.svg: No such file or directory"),
        ("diagram --format gif", "unknown format"),
        ("diagram --conversation a --log b", "choose one of them"),
        ("export --since yesterday", "since: "),
        ("export --since 2026-03-01", "since: "),
        ("simulator --fault nonsense", "expected OPERATION:KIND"),
        ("simulator --fault postMessage:explode", "kind: "),
        ("simulator --fault postMessage:reset,probability=often", "probability: "),
        ("simulator --fault postMessage:reset,colour=red", "colour=red: expected name=value"),
        ("simulator --fault postMessage:reset,often", "often: expected name=value"),
        ("simulator --host 192.0.2.1 --port 0", "192.0.2.1:0: "),
        ("simulator --ledger nowhere/ledger.jsonl", "nowhere/ledger.jsonl: "),
        ("simulator --webhook-url nonsense", "--webhook-url: "),
    ],
)
def test_bad_input_is_one_clear_line(run: Run, arguments: str, said: str) -> None:
    assert said in failing_line(run, *arguments.split())


def test_a_file_that_is_no_ledger_is_said_to_be_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text("these are notes\n")

    assert "no ledger" in failing_line(run, "simulator", "--ledger", "ledger.jsonl")


def test_a_hostile_id_cannot_forge_a_line(run: Run, stored: Stored) -> None:
    hostile = "x\nsms-fsm: all is well\x1b[2J"

    said = failing_line(run, "show", hostile, "--database-url", stored.url)

    assert "\x1b" not in said


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_limit_out_of_range_is_a_usage_error(run: Run, stored: Stored, limit: str) -> None:
    assert run("list", "--limit", limit, "--database-url", stored.url).code == 2
