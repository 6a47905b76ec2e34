"""Mermaid: a stateDiagram-v2 that GitHub and GitLab show inside Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sms_fsm.diagram.labels import Row, arrow_rows, clean, foot_rows, heading_rows, node_rows
from sms_fsm.diagram.palette import STAND_IN, Hue, group_hue, heat_fill, tone_hue
from sms_fsm.diagram.view import Arrow, DiagramView, Group, Node, Tone

# Whatever else is in a text becomes an entity: quotes, colons, semicolons and brackets of all
# kinds mean something to Mermaid, to the HTML that it makes, or to both.
_HARMLESS = frozenset(" .,()/+-'·×…")  # noqa: RUF001 - signs of labels


def to_mermaid(view: DiagramView) -> str:
    """The view as a Mermaid document."""
    return "\n".join(_document(view)) + "\n"


def _document(view: DiagramView) -> Iterator[str]:
    title = " · ".join(row.text for row in heading_rows(view))
    yield from ("---", f"title: {json.dumps(title, ensure_ascii=False)}", "---")
    yield "stateDiagram-v2"
    yield "    direction TB"
    for number, group in enumerate(view.groups):
        yield from (f"    {line}" for line in _group(group, number))
    yield from (f"    {_arrow(arrow)}" for arrow in view.arrows)
    if foot_rows(view):
        yield f"    foot : {_lines(foot_rows(view))}"
        yield "    classDef foot_look fill:none,stroke:none,font-size:12px"
        yield "    class foot foot_look"
    for number, group in enumerate(view.groups):
        for node in group.nodes:
            yield f"    classDef {node.id}_look {_look(node, group_hue(number))}"
            yield f"    class {node.id} {node.id}_look"


def _group(group: Group, number: int) -> Iterator[str]:
    indent = "    " if group.name else ""
    if group.name:
        yield f'state "{_escaped(clean(group.name))}" as group_{number} {{'
    for node in group.nodes:
        for line in _state(node):
            yield f"{indent}{line}"
    if group.name:
        yield "}"


def _state(node: Node) -> Iterator[str]:
    name, *rest = node_rows(node)
    yield f'state "{_escaped(name.text)}" as {node.id}'
    if rest:
        yield f"{node.id} : {_lines(rest)}"
    if node.initial:
        yield f"[*] --> {node.id}"
    if node.final:
        yield f"{node.id} --> [*]"


def _arrow(arrow: Arrow) -> str:
    return f"{arrow.source} --> {arrow.target} : {_lines(arrow_rows(arrow))}"


def _look(node: Node, of_group: Hue) -> str:
    hue = tone_hue(node.note.tone, STAND_IN if node.pseudo else of_group)
    fill = heat_fill(node.note.heat) if node.note.tone is Tone.HEAT else hue.fill
    dashes = ",stroke-dasharray:5 4" if node.awaits or node.pseudo else ""
    return f"fill:{fill},stroke:{hue.edge},color:{hue.ink}{dashes}"


def _lines(rows: Sequence[Row]) -> str:
    return "<br/>".join(_escaped(row.text) for row in rows)


def _escaped(text: str) -> str:
    return "".join(_plain_or_entity(text, place) for place in range(len(text)))


def _plain_or_entity(text: str, place: int) -> str:
    character = text[place]
    # Within a word an underscore is one; at its edge it is Markdown's emphasis.
    within = text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum()
    plain = within if character == "_" else character.isalnum() or character in _HARMLESS
    return character if plain else f"#{ord(character)};"
