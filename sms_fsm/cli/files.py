"""Files that commands read and write; what the operating system refuses becomes one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from sms_fsm.cli.failures import CommandError


@contextmanager
def failing_clearly(path: Path) -> Iterator[None]:
    """Errors of this file as `CommandError`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or type(error).__name__}") from None


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file.

    Raises:
        CommandError: it cannot be written.
    """
    with failing_clearly(path):
        path.write_bytes(data)


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A text file to write to.

    Raises:
        CommandError: it cannot be written.
    """
    with failing_clearly(path), path.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def read(path: Path) -> Iterator[BinaryIO]:
    """A file to read bytes from.

    Raises:
        CommandError: it cannot be read.
    """
    with failing_clearly(path), path.open("rb") as file:
        yield file
