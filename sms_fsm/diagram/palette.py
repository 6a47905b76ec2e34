"""The colours of the pictures: quiet paper, one hue a group, strong ink where an overlay speaks."""

from __future__ import annotations

from dataclasses import dataclass

from sms_fsm.diagram.view import Tone

PAPER = "#ffffff"
CARD_EDGE = "#e2e8f0"
INK = "#0f172a"
SOFT_INK = "#475569"
FAINT_INK = "#94a3b8"
WIRE = "#64748b"
TIMER_INK = "#b45309"


@dataclass(frozen=True, slots=True)
class Hue:
    """Colours of one group or tone: a state's fill, edge and text, a frame's ground and line."""

    fill: str
    edge: str
    ink: str = INK
    ground: str = PAPER
    frame: str = CARD_EDGE


_GROUPS = (
    Hue("#e9eef5", "#64748b", INK, "#f8fafc", "#d8dee8"),
    Hue("#dbeafe", "#3b82f6", INK, "#f7faff", "#cfe0fb"),
    Hue("#d1fae5", "#059669", INK, "#f5fcf9", "#c4ecdb"),
    Hue("#ede9fe", "#8b5cf6", INK, "#faf8ff", "#ddd6fb"),
    Hue("#ffe4e6", "#e11d48", INK, "#fff7f8", "#fbd0d6"),
    Hue("#cffafe", "#0891b2", INK, "#f5fdff", "#bdebf2"),
)
STAND_IN = Hue(PAPER, FAINT_INK, SOFT_INK)
_TONES = {
    Tone.DIM: Hue("#f8fafc", "#cbd5e1", FAINT_INK),
    Tone.LIT: Hue("#e0e7ff", "#4338ca"),
    Tone.PRESENT: Hue("#4338ca", "#312e81", "#ffffff"),
    Tone.HEAT: Hue("#fef3c7", "#b45309"),
    Tone.ADDED: Hue("#dcfce7", "#15803d"),
    Tone.REMOVED: Hue("#fee2e2", "#b91c1c"),
    Tone.CHANGED: Hue("#fef3c7", "#b45309"),
}
_COOL, _HOT = (0xFE, 0xF9, 0xE7), (0xF9, 0x73, 0x16)


def group_hue(number: int) -> Hue:
    """The hue of the group with this number, counted from 0."""
    return _GROUPS[number % len(_GROUPS)]


def tone_hue(tone: Tone, otherwise: Hue) -> Hue:
    """The hue of a tone; a plain one leaves it to ``otherwise``."""
    return _TONES.get(tone, otherwise)


def tone_ink(tone: Tone) -> str | None:
    """The colour of a row of text that an overlay marks, or None where it marks nothing."""
    if tone is Tone.DIM:
        return FAINT_INK
    return _TONES[tone].edge if tone in _TONES else None


def heat_fill(heat: float) -> str:
    """A fill between pale yellow (0) and orange (1), light enough for dark text."""
    warmth = min(max(heat, 0.0), 1.0)
    mixed = (round(cool + (hot - cool) * warmth) for cool, hot in zip(_COOL, _HOT, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
