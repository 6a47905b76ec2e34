"""PlantUML: a state diagram for documents and wikis that render it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sms_fsm.diagram.labels import Row, arrow_rows, clean, foot_rows, heading_rows, node_rows
from sms_fsm.diagram.palette import (
    FAINT_INK,
    INK,
    STAND_IN,
    WIRE,
    Hue,
    group_hue,
    heat_fill,
    tone_hue,
)
from sms_fsm.diagram.view import Arrow, DiagramView, Group, Node, Tone

# Whatever else is in a text is written as its code point: PlantUML reads markup, commands and
# preprocessor calls almost everywhere.
_HARMLESS = frozenset(" _.,()[]/+-'·×…")  # noqa: RUF001 - signs of labels
_PREAMBLE = (
    "hide empty description",
    "skinparam shadowing false",
    "skinparam defaultFontName Open Sans",
    "skinparam ArrowFontSize 11",
    f"skinparam ArrowColor {INK}",
    f"skinparam StateBorderColor {FAINT_INK}",
)


def to_plantuml(view: DiagramView) -> str:
    """The view as a PlantUML document."""
    return "\n".join(_document(view)) + "\n"


def _document(view: DiagramView) -> Iterator[str]:
    yield "@startuml"
    yield from _PREAMBLE
    yield f"title {_lines(heading_rows(view))}"
    for number, group in enumerate(view.groups):
        yield from _group(group, number)
    yield from (_arrow(arrow) for arrow in view.arrows)
    if foot_rows(view):
        yield f"footer {_lines(foot_rows(view))}"
    yield "@enduml"


def _group(group: Group, number: int) -> Iterator[str]:
    hue = group_hue(number)
    members = [line for node in group.nodes for line in _state(node, hue)]
    if not group.name:
        yield from members
        return
    name, look = _escaped(clean(group.name)), f"{hue.ground};line:{hue.frame[1:]}"
    yield f'state "{name}" as group_{number} {look} {{'
    yield from (f"  {line}" for line in members)
    yield "}"


def _state(node: Node, hue: Hue) -> Iterator[str]:
    name, *rest = node_rows(node)
    yield f'state "{_escaped(name.text)}" as {node.id} {_look(node, hue)}'
    if rest:
        yield f"{node.id} : {_lines(rest)}"
    if node.initial:
        yield f"[*] --> {node.id}"
    if node.final:
        yield f"{node.id} --> [*]"


def _look(node: Node, of_group: Hue) -> str:
    hue = tone_hue(node.note.tone, STAND_IN if node.pseudo else of_group)
    fill = heat_fill(node.note.heat) if node.note.tone is Tone.HEAT else hue.fill
    dashes = ";line.dashed" if node.awaits or node.pseudo else ""
    return f"{fill};line:{hue.edge[1:]}{dashes};text:{hue.ink[1:]}"


def _arrow(arrow: Arrow) -> str:
    hue = tone_hue(arrow.tone, Hue("", WIRE))
    dashes = ",dashed" if arrow.tone is Tone.REMOVED else ""
    style = f"[{hue.edge}{dashes}]"
    return f"{arrow.source} -{style}-> {arrow.target} : {_lines(arrow_rows(arrow))}"


def _lines(rows: Sequence[Row]) -> str:
    return r"\n".join(_escaped(row.text) for row in rows)


def _escaped(text: str) -> str:
    escaped = ""
    for character in text:
        # Twice the same sign is markup: //italic//, __underlined__, [[a link]].
        plain = character.isalnum() or (character in _HARMLESS and not escaped.endswith(character))
        escaped += character if plain or character == " " else f"<U+{ord(character):04X}>"
    return escaped
