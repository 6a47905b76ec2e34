"""The platform's own idea of an SMS text: what survives without a declared encoding, and how many
carrier units it takes. Deliberately not shared with the engine, so that each checks the other.
"""

from __future__ import annotations

from collections.abc import Iterable

# 3GPP TS 23.038, clause 6.2.1: default alphabet (without the escape) and its extension table.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_UNDECLARED_LIMIT = 160


def survivors(text: str) -> str:
    """What is left of a text in GSM 03.38: all other characters are lost."""
    return "".join(char for char in text if char in _BASIC or char in _EXTENSION)


def undeclared(text: str) -> str:
    """What is left of a text without ``encoding``: GSM 03.38 only, cut at 160 septets."""
    room = _UNDECLARED_LIMIT
    kept = []
    for char in survivors(text):
        room -= _septets(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept)


def segments(text: str, encoding: str | None) -> int:
    """Carrier units of a text: 160/153 septets, or 70/67 UTF-16 units when declared ``utf8``."""
    if encoding == "utf8":
        return _parts([len(char.encode("utf-16-le")) // 2 for char in text], 70, 67)
    return _parts([_septets(char) for char in text], 160, 153)


def _septets(char: str) -> int:
    return 2 if char in _EXTENSION else 1


def _parts(costs: list[int], alone: int, joined: int) -> int:
    return 1 if sum(costs) <= alone else _filled(costs, joined)


def _filled(costs: Iterable[int], size: int) -> int:
    parts, used = 1, 0
    for cost in costs:
        if used + cost > size:
            parts, used = parts + 1, 0
        used += cost
    return parts
