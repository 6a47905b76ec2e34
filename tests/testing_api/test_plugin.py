"""The pytest plugin: a folder of exported logs is as many tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_logs import made_log
from versions import SENDING, written

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
HEAVY = ("sms_fsm", "sqlalchemy", "transitions", "requests")
CONFTEST = """\
from sms_fsm import Registry

def pytest_sms_fsm_registry():
    registry = Registry()
    registry.guard("on_weekends", lambda conversation, event: event.at.weekday() >= 5)
    return registry
"""
RULE = "  - {id: weekend, from: routed, on: MessageReceived, when: on_weekends}\n  - id: text-in\n"


@pytest.fixture
def host(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with two logs."""
    folder = pytester.mkdir("logs")
    for seed, name in ((1, "january.jsonl"), (2, "february.jsonl")):
        lines = made_log(12, 20, seed=seed)
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return pytester


def run(host: pytest.Pytester, *arguments: object) -> pytest.RunResult:
    plugin = ("-p", "pytest_sms_fsm", "-p", "no:xdist")
    return host.runpytest_inprocess(*plugin, *map(str, arguments))


def replayed(host: pytest.Pytester, *arguments: object) -> pytest.RunResult:
    return run(host, "--sms-fsm-logs", "logs", *arguments)


def test_each_log_is_a_test_that_passes_on_its_own_graph(host: pytest.Pytester) -> None:
    ran = replayed(host, "-v")
    ran.assert_outcomes(passed=2)
    ran.stdout.fnmatch_lines_random(
        ["logs/january.jsonl::replay PASSED*", "logs/february.jsonl::replay PASSED*"]
    )


def test_a_changed_graph_fails_with_the_first_event_and_the_line_of_yaml(
    host: pytest.Pytester,
) -> None:
    graph = written(host.path, SENDING)
    ran = replayed(host, "--sms-fsm-graph", graph)
    ran.assert_outcomes(failed=2)
    line = _line_of(graph, "  - id: sends\n")
    ran.stdout.fnmatch_lines(
        [
            "*january.jsonl: * events come out otherwise, the first:",
            "*line *: ReplyRequested, event * in routed: recorded routed, now sending",
            f"*{graph.name}:{line}: rule sends",
        ]
    )
    ran.stdout.no_fnmatch_line("*Traceback*")


def _line_of(graph: Path, fragment: str) -> int:
    text = graph.read_text()
    return text[: text.index(fragment)].count("\n") + 1


def test_a_touched_log_fails_with_its_line(host: pytest.Pytester) -> None:
    file = host.path / "logs" / "january.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[5] = lines[5].replace('"refused":false', '"refused":true')
    file.write_text("".join(lines))
    ran = replayed(host)
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*line 6: altered: record and hash do not belong together"])


def test_a_hosts_registry_comes_from_its_conftest(host: pytest.Pytester) -> None:
    graph = written(host.path, "states.yaml", ("  - id: text-in\n", RULE))
    replayed(host, "--sms-fsm-graph", graph).stdout.fnmatch_lines(["*: G203 *on_weekends*"])
    host.makeconftest(CONFTEST)
    ran = replayed(host, "--sms-fsm-graph", graph)
    ran.stdout.no_fnmatch_line("*G203*")
    ran.stdout.fnmatch_lines(["*: rule weekend"])


def test_a_folder_without_logs_is_a_mistake(pytester: pytest.Pytester) -> None:
    ran = run(pytester, "--sms-fsm-logs", "nowhere")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*there is no *.jsonl in *nowhere*"])


def test_without_the_option_nothing_happens(host: pytest.Pytester) -> None:
    assert run(host).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_logs_run_beside_other_tests_in_several_processes(host: pytest.Pytester) -> None:
    host.makepyfile(test_other="def test_other():\n    assert True\n")
    host.makeini("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "pytest_sms_fsm", "-p", "xdist", "-n", "2"]
    # Not those of the pytest that runs this test, which may be a worker itself.
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    ran = subprocess.run(
        [*command, "--sms-fsm-logs", "logs", "test_other.py"],
        cwd=host.path,
        env=inherited | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    asked = f"import sys, pytest_sms_fsm; print([m for m in {HEAVY} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[]\n"
