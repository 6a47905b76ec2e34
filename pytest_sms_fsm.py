"""A pytest plugin: every exported log of a folder is a test that replays it.

    pytest --sms-fsm-logs tests/logs --sms-fsm-graph states.yaml

Imports of `sms_fsm` wait until a log is replayed, because pytest loads this in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sms_fsm import Registry

_SUFFIX = ".jsonl"


class Hooks:
    """What a host's conftest.py may add."""

    @pytest.hookspec(firstresult=True)
    def pytest_sms_fsm_registry(self) -> Registry | None:
        """The host's own guards, actions and effects, where its graphs name any."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sms-fsm", "replay of exported logs")
    group.addoption(
        "--sms-fsm-logs",
        metavar="DIR",
        type=Path,
        help=f"Replay each log (*{_SUFFIX}) of this folder, as a test of its own.",
    )
    group.addoption(
        "--sms-fsm-graph",
        metavar="FILE",
        type=Path,
        help="Replay all events on this graph, in place of the versions they were recorded on.",
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = _folder(config)
    if folder is None:
        return
    if not any(folder.rglob(f"*{_SUFFIX}")):
        raise pytest.UsageError(f"--sms-fsm-logs: there is no *{_SUFFIX} in {folder}")
    if str(folder) not in config.args:
        config.args.append(str(folder))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> LogFile | None:
    folder = _folder(parent.config)
    if folder is None or file_path.suffix != _SUFFIX or not file_path.is_relative_to(folder):
        return None
    return LogFile.from_parent(parent, path=file_path)


def _folder(config: pytest.Config) -> Path | None:
    named: Path | None = config.getoption("--sms-fsm-logs")
    return None if named is None else (config.invocation_params.dir / named).resolve()


class LogFailed(Exception):
    """A log that does not come out as recorded, or cannot be replayed; the message says it all."""


class LogFile(pytest.File):
    """One exported log."""

    def collect(self) -> Iterator[LogItem]:
        yield LogItem.from_parent(self, name="replay")


class LogItem(pytest.Item):
    """Every event of it comes out as recorded, or on the graph at hand as it was recorded."""

    def runtest(self) -> None:
        from sms_fsm import GraphError  # noqa: PLC0415 - see above
        from sms_fsm.testing import assert_replays  # noqa: PLC0415

        graph: Path | None = self.config.getoption("--sms-fsm-graph")
        registry = self.config.hook.pytest_sms_fsm_registry()
        try:
            assert_replays(self.path, graph=graph, registry=registry)
        except (AssertionError, GraphError, OSError) as error:
            raise LogFailed(str(error)) from None

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | Any:
        """The message alone: where in the engine it was noticed helps nobody."""
        if isinstance(excinfo.value, LogFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"replay of {self.path.name}"
