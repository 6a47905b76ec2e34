"""An exported log as a test: what to say of the first event that comes out otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sms_fsm.graph import StateGraph, load_graph_file
from sms_fsm.registry import Registry
from sms_fsm.replay import Divergence, ReplayReport, bounded_lines, verify


def assert_replays(
    log: Path, *, graph: StateGraph | Path | None = None, registry: Registry | None = None
) -> None:
    """Every event of an exported log comes out as recorded, and nobody touched the log.

    Args:
        graph: replay all events on this one, in place of the versions that they were recorded on.
        registry: the host's own guards and actions.

    Raises:
        AssertionError: names the first event that does not, and the line of YAML that decides it.
        GraphError: everything that is wrong with the graph.
        OSError: the log cannot be read.
    """
    registry = registry or Registry()
    if isinstance(graph, Path):
        graph = load_graph_file(graph, registry.names)
    with log.open("rb") as file:
        report = verify(bounded_lines(file), graph=graph, registry=registry)
    if not report.clean:
        raise AssertionError("\n".join(_told(log, report)))


def _told(log: Path, report: ReplayReport) -> Iterator[str]:
    if report.faults:
        yield f"{log}: {report.faults:,} fault(s), the first:"
        yield f"  {report.problems[0]}"
    if report.divergent:
        counts = f"{report.divergent:,} of {report.judged:,}"
        yield f"{log}: {counts} events come out otherwise, the first:"
        yield from _divergence(min(report.divergences, key=lambda one: one.line))


def _divergence(one: Divergence) -> Iterator[str]:
    where = f"line {one.line}: {one.event}, event {one.seq} of {one.conversation}"
    yield f"  {where}, in {one.source}: {_difference(one)}"
    if one.yaml_line is not None:
        yield f"  {one.file}:{one.yaml_line}: {f'rule {one.rule}' if one.rule else 'no rule'}"


def _difference(one: Divergence) -> str:
    if one.actual is None:
        return f"the graph has no state {one.source}"
    if one.actual != one.expected:
        return f"recorded {one.expected}, now {one.actual}"
    changed = [*(f"+{name}" for name in one.added), *(f"-{name}" for name in one.removed)]
    return f"{', '.join(one.differs)} differ {' '.join(changed)}".rstrip()
