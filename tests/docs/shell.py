"""Runs the commands of a page as a reader would, and compares what they print with the page."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_NUMBER = re.compile(r"(?<=behaviour )[0-9a-f]{12}|\bc[0-9a-f]{22,23}\b|\d[\d,.]*")
_SETTING = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
_PROGRAMS = {"sms-fsm": ("sms_fsm",), "pytest": ("pytest", "-p", "pytest_sms_fsm")}


class Command(NamedTuple):
    """A command of a ``console`` block, and what it should print."""

    line: str
    printed: str


def commands(console: str) -> Iterator[Command]:
    """The commands of a block: lines that begin with ``$``."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        line, _, printed = part.partition("\n")
        yield Command(line, printed)


@dataclass(slots=True)
class Shell:
    """A reader's terminal, in a folder of its own.

    Args:
        folder: where commands run.
        variables: what was exported so far.
        status: exit code of the last command.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    status: int = 0

    def run(self, command: Command) -> None:
        """Run one, and hold it to what the page says that it prints. Numbers may differ."""
        if command.line.startswith("export "):
            name, _, value = command.line.removeprefix("export ").partition("=")
            self.variables[name] = value
        elif command.line == "echo $?":
            self._compare(command, f"{self.status}\n")
        else:
            self._compare(command, self._printed(command.line))

    def _printed(self, line: str) -> str:
        program, space, rest = line.partition(" ")
        module = _PROGRAMS.get(program)
        script = line if module is None else f"{_python(*module)}{space}{rest}"
        ran = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=os.environ | _SETTING | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.status = ran.returncode
        return ran.stdout

    @staticmethod
    def _compare(command: Command, printed: str) -> None:
        wanted, got = (_NUMBER.sub("0", text) for text in (command.printed, printed))
        same = doctest.OutputChecker().check_output(wanted, got, _FLAGS)
        assert same, f"$ {command.line}\n{printed}\nbut the page says\n{command.printed}"


def _python(*module: str) -> str:
    return " ".join((f"'{sys.executable}'", "-m", *module))
