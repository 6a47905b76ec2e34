"""PNG: the SVG drawn with the font that this package brings along."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.resources import as_file, files

from sms_fsm.diagram.dot import FONT
from sms_fsm.diagram.error import DiagramError, require
from sms_fsm.diagram.svg import to_svg
from sms_fsm.diagram.view import DiagramView

_FACES = ("OpenSans-Regular.ttf", "OpenSans-Semibold.ttf")
_PIXELS_PER_UNIT = 2.0


def to_png(view: DiagramView) -> bytes:
    """The view as a PNG on a white card, two pixels for each unit of the SVG.

    Scripts that the font lacks are drawn with the machine's fonts, where it has any.

    Raises:
        DiagramError: the extra ``pictures`` is missing, or the picture could not be drawn.
    """
    svg, resvg = to_svg(view), require("resvg_py")
    fonts = files("sms_fsm.diagram") / "fonts"
    with ExitStack() as opened:
        faces = [str(opened.enter_context(as_file(fonts / face))) for face in _FACES]
        try:
            # resvg takes no default dpi, and leaves out all text whose family it cannot find.
            png = resvg.svg_to_bytes(
                svg_string=svg, zoom=_PIXELS_PER_UNIT, dpi=96, font_files=faces, font_family=FONT
            )
        except ValueError as failed:
            raise DiagramError(f"the picture could not be drawn: {failed}") from failed
    return bytes(png)
