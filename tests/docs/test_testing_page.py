"""The page on testing: its code are tests that pass, its commands print what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from recorded_stores import traffic
from walkthrough import DOCS, blocks

from .shell import Shell, commands

pytest_plugins = ("pytester",)

PAGE = DOCS / "testing.md"


def test_the_code_of_the_page_are_tests_that_pass(pytester: pytest.Pytester) -> None:
    code = [block.text for block in blocks(PAGE) if block.language == "python"]
    *tests, conftest = code
    for number, text in enumerate(tests, 1):
        pytester.makepyfile(**{f"test_page_{number}": text})
    pytester.makeconftest(conftest)

    ran = pytester.runpytest_inprocess("-p", "pytest_sms_fsm", "-p", "no:xdist", "-q")

    assert ran.ret == pytest.ExitCode.OK
    assert ran.parseoutcomes()["passed"] > 100


def test_the_commands_of_the_page_print_what_it_says(migrated_sqlite: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'live.db')}"
    with traffic(url) as going:
        going.go_on(newcomers=5, busy=0)
    shell = Shell(tmp_path, {"SMS_FSM_DATABASE_URL": url})
    for block in blocks(PAGE):
        if block.language == "console":
            for command in commands(block.text):
                shell.run(command)
    assert shell.status == 0
