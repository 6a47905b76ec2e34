"""Reads a page of `docs/`: the edits that it asks for, its commands, and what they should print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sms_fsm.graph import default_graph_text

DOCS = Path(__file__).parents[1] / "docs"
CHANGING_THE_GRAPH = DOCS / "changing-the-graph.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILES = re.compile(r"--- (\S+)\n\+\+\+ (\S+)\n")


class Block(NamedTuple):
    """A fenced block and its language."""

    language: str
    text: str


class Edit(NamedTuple):
    """What a ``diff`` block asks for: one file becomes another."""

    old: str
    new: str
    hunks: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The text with every hunk applied; each must fit in exactly one place."""
        for hunk in self.hunks:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            assert text.count(before) == 1, f"fits {text.count(before)} times:\n{before}"
            text = text.replace(before, after)
        return text


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    return (Block(*found) for found in _BLOCK.findall(page.read_text(encoding="utf-8")))


def edit(diff: str) -> Edit:
    """A ``diff`` block, read."""
    names = _FILES.match(diff)
    assert names is not None, diff
    _, *hunks = re.split(r"^@@.*\n", diff, flags=re.MULTILINE)
    return Edit(names[1], names[2], tuple(hunks))


def graphs(page: Path = CHANGING_THE_GRAPH) -> dict[str, str]:
    """The documents that a reader of the page has in the end, by name of file."""
    files = {"states.yaml": default_graph_text()}
    for block in blocks(page):
        if block.language == "diff":
            asked = edit(block.text)
            files[asked.new] = asked.applied(files[asked.old])
    return files
