"""Pictures of a state graph: Mermaid, DOT, PlantUML and JSON as text, SVG and PNG as drawings.

The same graph and overlay give the same text, whatever the order of mappings. SVG and PNG need
the extra ``pictures``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from sms_fsm.diagram.as_json import to_json
from sms_fsm.diagram.changes import diff_overlay
from sms_fsm.diagram.dot import to_dot
from sms_fsm.diagram.error import DiagramError
from sms_fsm.diagram.folding import view_of
from sms_fsm.diagram.mermaid import to_mermaid
from sms_fsm.diagram.overlays import Dwell, Step, heat_overlay, path_overlay
from sms_fsm.diagram.plantuml import to_plantuml
from sms_fsm.diagram.png import to_png
from sms_fsm.diagram.svg import to_svg
from sms_fsm.diagram.view import Arrow, DiagramView, Move, Note, Overlay, Tone
from sms_fsm.graph.model import StateGraph

__all__ = [
    "FORMATS",
    "Arrow",
    "DiagramError",
    "DiagramView",
    "Dwell",
    "Move",
    "Note",
    "Overlay",
    "Step",
    "Tone",
    "diff_overlay",
    "heat_overlay",
    "path_overlay",
    "render",
    "view_of",
    "write_all",
]

_RENDERERS: Mapping[str, Callable[[DiagramView], str | bytes]] = MappingProxyType(
    {
        "mermaid": to_mermaid,
        "dot": to_dot,
        "plantuml": to_plantuml,
        "svg": to_svg,
        "png": to_png,
    }
)
_SUFFIXES = MappingProxyType(
    {"mermaid": "mmd", "dot": "dot", "plantuml": "puml", "svg": "svg", "png": "png", "json": "json"}
)
FORMATS = tuple(_SUFFIXES)


def render(
    graph: StateGraph,
    format: str,  # noqa: A002 - it is what everyone calls it
    *,
    overlay: Overlay | None = None,
    internal: bool = False,
) -> str | bytes:
    """One picture of a graph: text, or bytes for ``png``.

    Args:
        format: one of ``FORMATS``.
        overlay: what to lay over it; see ``path_overlay``, ``heat_overlay``, ``diff_overlay``.
        internal: list in each state what happens there without leaving it (json always does).

    Raises:
        DiagramError: the format is unknown, the extra ``pictures`` is missing for svg or png, or
            the picture could not be laid out.
    """
    if format == "json":
        return to_json(graph, overlay)
    if format not in _RENDERERS:
        raise DiagramError(f"unknown format {format!r}: choose from {', '.join(FORMATS)}")
    return _RENDERERS[format](view_of(graph, overlay, internal=internal))


def write_all(graph: StateGraph, folder: Path) -> tuple[Path, ...]:
    """The graph in every format as ``states.mmd``, ``states.dot`` …; gives the files written.

    Raises:
        DiagramError: as ``render`` does; then nothing was written.
    """
    pictures = {suffix: render(graph, name) for name, suffix in _SUFFIXES.items()}
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_write(folder / f"states.{suffix}", pictures[suffix]) for suffix in pictures)


def _write(file: Path, picture: str | bytes) -> Path:
    file.write_bytes(picture.encode() if isinstance(picture, str) else picture)
    return file
