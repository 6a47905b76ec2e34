"""What is written where: results to stdout, talk and progress to stderr, nothing hostile to either.

Whatever came from outside passes `printable`, so that a text cannot move the cursor or forge a
line; colours and markup are added to `rich.text.Text` only.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

_PIPED_WIDTH = 200
"""Columns where no terminal says how many there are: rows stay whole for ``grep``."""


def stdout() -> Console:
    """Where results go. Piped, it is wide and has no colours."""
    return _console(Console(highlight=False))


def stderr() -> Console:
    """Where errors, notes and progress go."""
    return _console(Console(stderr=True, highlight=False))


def _console(console: Console) -> Console:
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPED_WIDTH
    return console


def note(text: str) -> None:
    """A line for people on stderr, which scripts that read stdout never see."""
    stderr().print(printable(text), style="dim", markup=False, soft_wrap=True)


def line(text: str) -> None:
    """A plain line of the result, never wrapped."""
    stdout().print(printable(text), markup=False, soft_wrap=True)


def json_document(value: Any) -> None:
    """A result for scripts."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    stdout().print(text, markup=False, soft_wrap=True)


def table(*headings: str) -> Table:
    """A table as all commands draw it: headings, no frame."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    return drawn


def printable(text: str) -> str:
    """The text on one line; control and invisible characters are written as escapes."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def survive_narrow_encodings() -> None:
    """Replace what a terminal's encoding cannot show in place of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
