"""How a text travels as SMS: its alphabet, its length and where carriers cut it.

The rules are those of 3GPP TS 23.038 (alphabets) and 23.040 (joined segments), without national
shift tables, replacement of characters or normalisation. Nothing here changes a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import regex  # type: ignore[import-untyped]  # it ships no types

from sms_fsm.errors import InvalidMessage


class Encoding(StrEnum):
    """How a text is declared to CXone, in the wire's words."""

    GSM7 = "gsm7"
    """Septets of the GSM 03.38 default alphabet and its extension table."""
    UTF8 = "utf8"
    """Anything else. On the air it is UCS-2: UTF-16 units of two octets."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One carrier unit of a text: the slice ``text[start:end]``.

    Args:
        start: offset of its first character in the text.
        end: offset behind its last character.
        units: its length on the air, in septets or UTF-16 units.
    """

    start: int
    end: int
    units: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How many units one segment holds: alone, and behind a concatenation header.

    The header is the usual one of six octets with an 8-bit reference (3GPP TS 23.040, 9.2.3.24.1).
    """

    alone: int
    joined: int


LIMITS = {Encoding.GSM7: Limits(160, 153), Encoding.UTF8: Limits(70, 67)}

# 3GPP TS 23.038, 6.2.1, row by row. U+001B is missing on purpose: it announces the extension
# table, and a text that holds one would change the character behind it.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# 3GPP TS 23.038, 6.2.1.1: each of these takes two septets.
_EXTENSION = "\f^{}\\[~]|€"

_OUTSIDE_GSM7 = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_EXTENDED = re.compile(f"[{re.escape(_EXTENSION)}]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Left alone, \X counts all regional indicators before each one to find its partner, which is
# quadratic in a row of flags. A row that is read from its start needs no counting.
_CLUSTER = regex.compile(r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+|\X")


def check_inbound(text: object) -> None:
    """Refuse what is no Unicode text at all; whatever else a customer sends is taken.

    Raises:
        InvalidMessage: not a string, or a lone surrogate.
    """
    _well_formed(text)


def check_outbound(text: object) -> None:
    """Refuse what cannot be sent as it is. White space is text, and so is U+0000 (as UCS-2).

    Raises:
        InvalidMessage: not a string, empty, a lone surrogate, or U+001B.
    """
    sound = _well_formed(text)
    if not sound:
        raise InvalidMessage("text", "is empty")
    if (offset := sound.find("\x1b")) >= 0:
        reason = f"has U+001B at offset {offset}: it is GSM-7's escape code, not a character"
        raise InvalidMessage("text", reason)


def _well_formed(text: object) -> str:
    if not isinstance(text, str):
        raise InvalidMessage("text", f"must be a string, not {type(text).__name__}")
    if flaw := _LONE_SURROGATE.search(text):
        raise InvalidMessage("text", f"has a lone surrogate at offset {flaw.start()}")
    return text


def encoding_of(text: str) -> Encoding:
    """GSM-7 when every character of the text is in it, else UCS-2 for the whole text.

    Raises:
        InvalidMessage: a lone surrogate, which no encoding can carry.
    """
    if not _OUTSIDE_GSM7.search(text):
        return Encoding.GSM7
    check_inbound(text)
    return Encoding.UTF8


def units(text: str) -> int:
    """The text's length on the air: septets (GSM-7) or UTF-16 units (UCS-2), without headers.

    Raises:
        InvalidMessage: a lone surrogate.
    """
    return _size(text, encoding_of(text))


def segments(text: str) -> tuple[Segment, ...]:
    """Where the text is cut, each segment filled as far as it goes. An empty text is one segment.

    160 septets or 70 UTF-16 units go in one; otherwise each holds 153 or 67. An escape pair, a
    surrogate pair and a grapheme cluster stay whole; only a cluster that is larger than a segment
    is cut, between code points. Takes time in proportion to the text.

    Raises:
        InvalidMessage: a lone surrogate.
    """
    encoding = encoding_of(text)
    size = _size(text, encoding)
    if size <= LIMITS[encoding].alone:
        return (Segment(0, len(text), size),)
    return tuple(fill(text, encoding, LIMITS[encoding].joined))


def fill(text: str, encoding: Encoding, limit: int) -> Iterator[Segment]:
    """Cut the text into segments of at most ``limit`` units of this encoding, at least one."""
    start = end = used = 0
    for length, size in _atoms(text, encoding, limit):
        if used + size > limit:
            yield Segment(start, end, used)
            start, used = end, 0
        end += length
        used += size
    yield Segment(start, end, used)


def clusters(text: str) -> Iterator[str]:
    """The text's extended grapheme clusters (Unicode Standard Annex 29), in order."""
    return (match[0] for match in _CLUSTER.finditer(text))


def gsm7_prefix(text: str) -> str:
    """The text up to its first character outside GSM-7."""
    return _OUTSIDE_GSM7.split(text, maxsplit=1)[0]


def _atoms(text: str, encoding: Encoding, limit: int) -> Iterator[tuple[int, int]]:
    for cluster in clusters(text):
        size = _size(cluster, encoding)
        if size <= limit:
            yield len(cluster), size
        else:
            yield from ((1, _size(code_point, encoding)) for code_point in cluster)


def _size(text: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return len(text) + len(_EXTENDED.findall(text))
    return len(text.encode("utf-16-le")) // 2
