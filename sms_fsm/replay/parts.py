"""Replays a log file with several processes, each on parts of whole conversations."""

from __future__ import annotations

import gc
import multiprocessing
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import BinaryIO

from sms_fsm.graph import StateGraph
from sms_fsm.registry import Registry
from sms_fsm.replay.lines import LONGEST_LINE, GraphLine, bounded_lines
from sms_fsm.replay.reading import read_log
from sms_fsm.replay.report import ReplayReport
from sms_fsm.replay.shelf import Shelf
from sms_fsm.replay.tally import Tally
from sms_fsm.replay.verifying import OnProgress, Verification, verify

PART_BYTES = 16 * 1024 * 1024
"""About how much one process reads before it reports; every part loads the graphs anew."""

_GRAPH_LINE = b'{"graph":{'
_END_OF_CONVERSATION = re.compile(rb'"last":(true|\d{1,18})(,"of":\d+)?}\n$')


@dataclass(frozen=True, slots=True)
class _Part:
    """Bytes of a log, and those of the graphs before all conversations.

    Args:
        after: how many conversations of the log come before.
        whole: the log ends with this part.
    """

    path: Path
    graphs: int
    start: int
    after: int
    end: int
    whole: bool


def verify_file(
    path: Path,
    *,
    graph: StateGraph | None = None,
    registry: Registry | None = None,
    jobs: int = 1,
    on_progress: OnProgress | None = None,
) -> ReplayReport:
    """`verify` for a file, by ``jobs`` processes; the report is the same.

    With several jobs the functions of the registry must be importable, since they go to other
    processes by name.

    Raises:
        OSError: the file cannot be read.
    """
    parts = _parts(path) if jobs > 1 else []
    if len(parts) < 2:  # noqa: PLR2004 - one part is the whole
        with path.open("rb") as file, _uncollected():
            return verify(
                bounded_lines(file), graph=graph, registry=registry, on_progress=on_progress
            )
    registry = registry or Registry()
    tally, lines = Tally(), 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(parts)), mp_context=context) as pool:
        for part, length in pool.map(partial(_verify_part, graph=graph, registry=registry), parts):
            tally.merge(part, lines)
            lines += length
            if on_progress is not None:
                on_progress(tally.events)
    return tally.summary(_shelf(parts[0], graph, registry).graphs)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Replay makes no cycles, so that nothing has to be looked for."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _parts(path: Path) -> list[_Part]:
    """The file cut between conversations; the first part begins with the graphs."""
    with path.open("rb") as file:
        graphs, size = _end_of_graphs(file), path.stat().st_size
        cuts = [(0, 0), *_cuts(file, graphs), (size, 0)]
    return [
        _Part(path, graphs, start, after, end, whole=end == size)
        for (start, after), (end, _) in pairwise(cuts)
        if start < end
    ]


def _end_of_graphs(file: BinaryIO) -> int:
    end = 0
    for line in bounded_lines(file):
        if not line.startswith(_GRAPH_LINE):
            break
        end += len(line)
    return end


def _cuts(file: BinaryIO, graphs: int) -> Iterator[tuple[int, int]]:
    """Where a conversation ends, about every ``PART_BYTES``, and its number in the log."""
    file.seek(graphs + PART_BYTES)
    while line := file.readline(LONGEST_LINE):
        end = _END_OF_CONVERSATION.search(line)
        if end is not None:
            goes_on = end[1] != b"true" and end[2] is None
            yield file.tell(), int(end[1]) if goes_on else 0
            file.seek(PART_BYTES, 1)


def _verify_part(part: _Part, *, graph: StateGraph | None, registry: Registry) -> tuple[Tally, int]:
    """What replay finds in a part, and how many lines that has."""
    shelf = _shelf(part, graph, registry) if part.start > 0 else Shelf(registry, graph)
    verification, lines = Verification(shelf), count()
    with part.path.open("rb") as file, _uncollected():
        between = _between(file, part.start, part.end)
        verification.run(
            (line for line, _ in zip(between, lines, strict=False)),
            after=part.after,
            whole=part.whole,
        )
    return verification.tally, next(lines)


def _shelf(part: _Part, graph: StateGraph | None, registry: Registry) -> Shelf:
    """The graphs that the file begins with; their problems are the first part's."""
    shelf = Shelf(registry, graph)
    with part.path.open("rb") as file:
        for item in read_log(_between(file, 0, part.graphs)):
            if isinstance(item, GraphLine):
                shelf.add(item)
    return shelf


def _between(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """The lines that begin between two places."""
    file.seek(start)
    lines = bounded_lines(file)
    while file.tell() < end:
        yield next(lines)
