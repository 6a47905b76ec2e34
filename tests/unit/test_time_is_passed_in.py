"""No decision reads a clock: replay must find the same one years later."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import sms_fsm

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_PACKAGE = Path(sms_fsm.__file__).parent
_PRESENT = frozenset({"now", "utcnow", "today"})


def _sources() -> Iterator[Path]:
    """The files of the modules that the import contract keeps from the clock."""
    contracts = tomllib.loads(_PROJECT.read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (c for c in contracts if c["name"] == "Time is passed in")
    for module in contract["source_modules"]:
        path = _PACKAGE / module.removeprefix("sms_fsm.")
        yield from sorted(path.glob("**/*.py")) if path.is_dir() else [path.with_suffix(".py")]


def _asks_for_the_present(source: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in _PRESENT
    ]


@pytest.mark.parametrize("path", list(_sources()), ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_a_module_that_decides_never_asks_for_the_present(path: Path) -> None:
    assert _asks_for_the_present(path.read_text()) == []


def test_asking_for_the_present_is_found() -> None:
    assert _asks_for_the_present("import datetime\nat = datetime.datetime.now(tz)") == [2]
