"""The state graph as a picture: drawn small, so that a path can be followed at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from sms_fsm.diagram import Arrow, DiagramError, DiagramView, Tone, path_overlay, view_of
from sms_fsm.diagram.svg import to_svg
from sms_fsm.diagram.view import Group, Line, Overlay
from sms_fsm.graph import StateGraph
from sms_fsm.log import LoggedEvent


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows of a graph.

    Args:
        svg: the drawing, or None where the extra ``pictures`` is missing.
        view: what is drawn; a page without a drawing lists its groups and states.
        moves: the moves of a path, oldest first.
    """

    svg: Markup | None
    view: DiagramView
    moves: tuple[LoggedEvent, ...] = ()


def path_picture(graph: StateGraph, events: Sequence[LoggedEvent]) -> Picture:
    """The way of one conversation through its graph; ``events`` are oldest first."""
    steps = [(event.source, event.target, event.name, event.at) for event in events]
    moves = tuple(event for event in events if event.source != event.target)
    return _drawn(graph, path_overlay(graph, steps), moves)


def graph_picture(graph: StateGraph) -> Picture:
    """A graph by itself."""
    return _drawn(graph, None, ())


def warm_up(graph: StateGraph) -> None:
    """Draw it once: the first drawing of a process takes seconds, the others milliseconds."""
    graph_picture(graph)


def _drawn(graph: StateGraph, overlay: Overlay | None, moves: tuple[LoggedEvent, ...]) -> Picture:
    view = _terse(view_of(graph, overlay))
    try:
        # Our own drawing: labels in it are escaped where it is made.
        svg = Markup(to_svg(view))  # noqa: S704
    except DiagramError:
        svg = None
    return Picture(svg, view, moves)


def _terse(view: DiagramView) -> DiagramView:
    """States by name alone, arrows by the numbers of the moves that took them."""
    return replace(
        view,
        groups=tuple(_terse_group(group) for group in view.groups),
        arrows=tuple(_terse_arrow(arrow) for arrow in view.arrows),
        quiet=(),
        legend=(),
    )


def _terse_group(group: Group) -> Group:
    nodes = (replace(node, title="", note=replace(node.note, lines=())) for node in group.nodes)
    return replace(group, nodes=tuple(nodes))


def _terse_arrow(arrow: Arrow) -> Arrow:
    lit = [line for line in arrow.lines if line.note.tone is Tone.LIT]
    numbers = [text.partition(" · ")[0] for line in lit for text in line.note.lines]
    said = (", ".join(numbers),) if numbers else ()
    first = arrow.lines[0]
    note = replace(first.note, tone=arrow.tone, lines=said)
    return replace(arrow, lines=(Line(events=(), timer=first.timer, note=note),))
