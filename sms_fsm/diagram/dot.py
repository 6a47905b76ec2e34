"""Graphviz DOT: the drawing that svg and png are laid out from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from sms_fsm.diagram.labels import Row, arrow_rows, clean, foot_rows, heading_rows, node_rows
from sms_fsm.diagram.palette import (
    INK,
    PAPER,
    SOFT_INK,
    STAND_IN,
    TIMER_INK,
    WIRE,
    Hue,
    group_hue,
    heat_fill,
    tone_hue,
)
from sms_fsm.diagram.view import Arrow, DiagramView, Group, Node, Tone

FONT = "Open Sans"
_WIRE = Hue(PAPER, WIRE, SOFT_INK)
_TIMER = Hue(PAPER, TIMER_INK, TIMER_INK)
_THICKEST = 5.0


def to_dot(view: DiagramView) -> str:
    """The view as a DOT document.

    Its parts carry ids (``state-new``, ``arrow-0``, ``foot-``), so that what is laid out from it
    can be matched with the view again.
    """
    return "\n".join(_document(view)) + "\n"


def _document(view: DiagramView) -> Iterator[str]:
    heading, foot = _label(heading_rows(view), r"\l"), _label(foot_rows(view), r"\l")
    most = max((arrow.count for arrow in view.arrows), default=0)
    yield f'digraph "{_escaped(view.id)}" {{'
    yield _statement("  graph", rankdir="TB", nodesep=0.4, ranksep=0.45, pad=0.3)
    yield _statement("  graph", fontname=FONT, fontsize=13, fontcolor=SOFT_INK, bgcolor=PAPER)
    yield _statement("  graph", outputorder="edgesfirst", labelloc="t", labeljust="l")
    yield _statement("  graph", label=heading)
    yield _statement("  node", fontname=FONT, fontsize=14, shape="box", margin="0.2,0.1")
    yield _statement("  edge", fontname=FONT, fontsize=11, arrowsize=0.7)
    yield "  subgraph cluster_sheet {"
    yield _statement("    graph", id="foot-", peripheries=0, labelloc="b", label=foot)
    for number, group in enumerate(view.groups):
        yield from (f"    {line}" for line in _group(group, number))
    yield "  }"
    yield from (f"  {_arrow(arrow, number, most)}" for number, arrow in enumerate(view.arrows))
    yield "}"


def _group(group: Group, number: int) -> Iterator[str]:
    hue = group_hue(number)
    members = [line for node in group.nodes for line in _state(node, hue)]
    if not group.name:
        yield from members
        return
    yield f"subgraph cluster_{number} {{"
    yield _statement("  graph", id=f"group-{number}", label=_escaped(group.name), labelloc="t")
    yield _statement("  graph", peripheries=1, style="rounded,filled", margin=14)
    yield _statement("  graph", color=hue.frame, fillcolor=hue.ground, fontcolor=hue.edge)
    yield from (f"  {line}" for line in members)
    yield "}"


def _state(node: Node, hue: Hue) -> Iterator[str]:
    if node.initial:
        yield _statement(
            "start", shape="circle", label="", width=0.16, fillcolor=INK, style="filled"
        )
    yield _node(node, STAND_IN if node.pseudo else hue)
    if node.initial:
        yield _statement(f"start -> {node.id}", color=INK)


def _node(node: Node, of_group: Hue) -> str:
    hue = tone_hue(node.note.tone, of_group)
    heated = node.note.tone is Tone.HEAT
    dashed = node.awaits or node.pseudo or node.note.tone is Tone.REMOVED
    return _statement(
        node.id,
        id=f"state-{node.id}",
        label=_label(node_rows(node), r"\n"),
        style="rounded,filled,dashed" if dashed else "rounded,filled",
        fillcolor=heat_fill(node.note.heat) if heated else hue.fill,
        color=hue.edge,
        fontcolor=hue.ink,
        penwidth=1.5 if node.rest or node.awaits else 0.8,
        peripheries=2 if node.final else 1,
    )


def _arrow(arrow: Arrow, number: int, most: int) -> str:
    timers_only = all(line.timer for line in arrow.lines)
    hue = tone_hue(arrow.tone, _TIMER if timers_only else _WIRE)
    return _statement(
        f"{arrow.source} -> {arrow.target}",
        id=f"arrow-{number}",
        label=_label(arrow_rows(arrow), r"  \l", "  "),
        color=hue.edge,
        fontcolor=hue.edge if arrow.tone is Tone.DIM else hue.ink,
        style="dashed" if arrow.tone is Tone.REMOVED else "solid",
        penwidth=_thickness(arrow, most),
        constraint="false" if arrow.extra else "true",
    )


def _thickness(arrow: Arrow, most: int) -> float:
    if arrow.count:
        share = math.log1p(arrow.count) / math.log1p(most)
        return round(1.0 + (_THICKEST - 1.0) * share, 1)
    return 1.0 if arrow.tone in {Tone.PLAIN, Tone.DIM} else 2.4


def _label(rows: Sequence[Row], end: str, start: str = "") -> str:
    return "".join(f"{start}{_escaped(row.text)}{end}" for row in rows)


def _statement(head: str, **attributes: str | float) -> str:
    """One statement; text among the attributes must be escaped already."""
    pairs = ", ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"{head} [{pairs}]"


def _escaped(text: str) -> str:
    # Graphviz reads entities in any label, hence the ampersand.
    escapes = {"\\": r"\\", '"': r"\"", "&": "&amp;"}
    return "".join(escapes.get(character, character) for character in clean(text))
