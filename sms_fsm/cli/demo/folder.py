"""The folder that the demo writes to. It replaces what an earlier demo made, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.files import failing_clearly

DATABASE = "demo.db"
LOG = "log.jsonl"
PICTURES = ("path.svg", "path.png", "path.mmd")
_MARK = ".sms-fsm-demo"
_NAMES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOG, *PICTURES)


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """A prepared folder."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @property
    def log(self) -> Path:
        return self.path / LOG

    @property
    def files(self) -> Sequence[Path]:
        """What is there for people to look at."""
        shown = (DATABASE, LOG, *PICTURES)
        return [self.path / name for name in shown if (self.path / name).exists()]


def prepared(path: Path) -> DemoFolder:
    """The folder without the files of an earlier demo.

    Raises:
        CommandError: it holds a file of this name that no demo made, or cannot be written.
    """
    with failing_clearly(path):
        path.mkdir(parents=True, exist_ok=True)
        there = [path / name for name in _NAMES if (path / name).exists()]
        if there and not (path / _MARK).exists():
            raise CommandError(f"{there[0]} is there and no demo made it: give another --output")
        for file in there:
            file.unlink()
        (path / _MARK).write_text("Made by `sms-fsm demo`, which replaces its files.\n")
    return DemoFolder(path)
