"""Every command explains itself."""

from __future__ import annotations

import pytest

from .conftest import Run

COMMANDS = (
    "carriers",
    "check",
    "db upgrade",
    "dead-letters",
    "demo",
    "diagram",
    "diff",
    "doctor",
    "export",
    "list",
    "migrate",
    "rebuild",
    "replay",
    "retry",
    "serve",
    "show",
    "simulator",
    "work",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Run, command: str) -> None:
    ran = run(*command.split(), "--help")

    assert ran.code == 0
    assert f"Usage: sms-fsm {command}" in ran.out or f"Usage: {command}" in ran.out


def test_the_help_of_all_names_every_command_with_what_it_does(run: Run) -> None:
    ran = run("--help")

    lines = [line.strip("│ ") for line in ran.out.splitlines()]
    for command in COMMANDS:
        described = [line for line in lines if line.startswith(f"{command.split()[0]} ")]
        assert described, command
        assert len(described[0].split()) > 3, described[0]


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    ran = run("frobnicate")

    assert ran.code == 2
    assert "No such command" in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_takes_a_secret_as_an_argument(run: Run, command: str) -> None:
    options = run(*command.split(), "--help").out

    for secret in ("--client-secret", "--token-key", "--webhook-secret", "--api-token"):
        assert secret not in options
