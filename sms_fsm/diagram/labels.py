"""The words of a picture, row by row, each with the part that it plays."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sms_fsm.diagram.view import Arrow, DiagramView, Line, Node, Note, Tone

_TITLE_WIDTH = 26
_LABEL_WIDTH = 30
_INNER_WIDTH = 46
_FOOT_WIDTH = 100
SIGNS = {Tone.ADDED: "+ ", Tone.REMOVED: "− ", Tone.CHANGED: "~ "}  # noqa: RUF001 - a real minus
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Role(StrEnum):
    """What a row is, so that renderers with styles can tell rows apart."""

    NAME = "name"
    TITLE = "title"
    INNER = "inner"
    EVENT = "event"
    TIMER = "timer"
    ACTION = "action"
    NOTE = "note"
    HEADING = "heading"
    FOOT = "foot"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of text, free of control characters."""

    role: Role
    text: str
    tone: Tone = Tone.PLAIN


def clean(text: str) -> str:
    """The text on one line; characters that XML forbids or that reorder text become U+FFFD."""
    return "".join(_safe(character) for character in " ".join(text.split()))


def node_rows(node: Node) -> tuple[Row, ...]:
    """The label of a state: its name, its title, what happens inside, what an overlay says."""
    sign = SIGNS.get(node.note.tone, "")
    name = Row(Role.TITLE if node.pseudo else Role.NAME, sign + clean(node.name))
    titles = _wrapped(Role.TITLE, node.title, _TITLE_WIDTH)
    inner = (row for line in node.inner for row in _inner_rows(line))
    notes = (Row(Role.NOTE, row.text) for row in _note_rows(node.note))
    return (name, *titles, *inner, *notes)


def arrow_rows(arrow: Arrow) -> tuple[Row, ...]:
    """The label of an arrow, line by line."""
    return tuple(row for line in arrow.lines for row in _line_rows(line))


def heading_rows(view: DiagramView) -> tuple[Row, ...]:
    """Title, then id, version and fingerprint."""
    identity = f"{clean(view.id)} · version {view.version} · {view.fingerprint}"
    return (Row(Role.HEADING, clean(view.title) or clean(view.id)), Row(Role.FOOT, identity))


def foot_rows(view: DiagramView) -> tuple[Row, ...]:
    """The events that no arrow shows, and what the overlay's colours mean."""
    quiet = f"Events that move no state: {', '.join(view.quiet)}" if view.quiet else ""
    texts = (quiet, *view.legend)
    return tuple(row for text in texts for row in _wrapped(Role.FOOT, text, _FOOT_WIDTH))


def _safe(character: str) -> str:
    forbidden = unicodedata.category(character) in {"Cc", "Cs"} or character in "\ufffe\uffff"
    return "\ufffd" if forbidden or character in _BIDI_CONTROLS else character


def _wrapped(role: Role, text: str, width: int, tone: Tone = Tone.PLAIN) -> Iterator[Row]:
    return (Row(role, row, tone) for row in _balanced(clean(text), width))


def _balanced(text: str, width: int) -> list[str]:
    """As few rows as the width allows, and those as even as they can be."""
    rows = _rows(text, width)
    even = next(narrow for narrow in range(1, width + 1) if len(_rows(text, narrow)) <= len(rows))
    return _rows(text, even)


def _rows(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _line_rows(line: Line) -> Iterator[Row]:
    tone = line.note.tone
    what = SIGNS.get(tone, "") + _trigger(line)
    yield from _wrapped(Role.TIMER if line.timer else Role.EVENT, what, _LABEL_WIDTH, tone)
    if line.actions:
        yield from _wrapped(Role.ACTION, f"/ {', '.join(line.actions)}", _LABEL_WIDTH, tone)
    yield from _note_rows(line.note)


def _inner_rows(line: Line) -> Iterator[Row]:
    actions = f" / {', '.join(line.actions)}" if line.actions else ""
    return _wrapped(Role.INNER, f"on {_trigger(line)}{actions}", _INNER_WIDTH)


def _trigger(line: Line) -> str:
    guards = f" [{', '.join(line.guards)}]" if line.guards else ""
    after = f" after {line.after}" if line.after else ""
    return f"{', '.join(line.events)}{after}{guards}"


def _note_rows(note: Note) -> Iterator[Row]:
    for text in (*note.lines, *([f"× {note.count:,}"] if note.count else ())):  # noqa: RUF001 - times
        yield Row(Role.NOTE, clean(text), note.tone)
