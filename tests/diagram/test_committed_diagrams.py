"""The pictures in ``diagrams/`` show the graph that ships."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sms_fsm.diagram import render
from sms_fsm.graph import StateGraph, default_graph
from sms_fsm.registry import Registry

DIAGRAMS = Path(__file__).parents[2] / "diagrams"
REFRESH = "it is stale: refresh the pictures with `make diagrams`"
TEXTS = {"mermaid": "mmd", "dot": "dot", "plantuml": "puml", "json": "json"}


@pytest.fixture(scope="module")
def graph() -> StateGraph:
    return default_graph(Registry().names)


@pytest.mark.parametrize("form", TEXTS)
def test_a_committed_text_is_fresh(form: str, graph: StateGraph) -> None:
    committed = (DIAGRAMS / f"states.{TEXTS[form]}").read_text(encoding="utf-8")
    assert committed == render(graph, form), REFRESH


def test_the_committed_svg_shows_the_same_texts(graph: StateGraph) -> None:
    """Texts alone: another release of Graphviz may put them elsewhere."""
    committed = (DIAGRAMS / "states.svg").read_text(encoding="utf-8")
    assert texts(committed) == texts(str(render(graph, "svg"))), REFRESH


def test_the_committed_png_is_as_large_as_the_svg_says() -> None:
    svg = ET.fromstring((DIAGRAMS / "states.svg").read_text(encoding="utf-8"))  # noqa: S314 - ours
    header = (DIAGRAMS / "states.png").read_bytes()[16:24]
    size = [int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")]
    assert size == [2 * int(svg.get(side, "0")) for side in ("width", "height")], REFRESH


def texts(svg: str) -> list[str]:
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - ours
    return sorted(text.text or "" for text in found)
