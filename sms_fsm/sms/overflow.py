"""How a text that is too long for one post to CXone becomes several, fewer or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from sms_fsm.errors import InvalidMessage
from sms_fsm.sms.text import LIMITS, Encoding, clusters, encoding_of, fill, gsm7_prefix, segments


class Overflow(StrEnum):
    """What to do with a text that needs more segments than one post may have."""

    SPLIT = "split"
    """Post it in several posts."""
    TRUNCATE = "truncate"
    """Post its beginning and drop the rest."""
    REFUSE = "refuse"
    """Do not take it."""


@dataclass(frozen=True, slots=True)
class Post:
    """One call to CXone: the slice ``text[start:end]``, encoded and segmented as a text of its own.

    Args:
        start: offset of its first character in the text.
        end: offset behind its last character.
        encoding: what the slice is declared as; a slice that is pure GSM-7 is ``gsm7``.
        segments: how many carrier units the slice takes.
    """

    start: int
    end: int
    encoding: Encoding
    segments: int


def posts(text: str, *, max_segments: int, overflow: Overflow) -> tuple[Post, ...]:
    """The posts that carry the text, each of at most ``max_segments`` (1 or more) segments.

    Posts are cut between grapheme clusters; only a cluster that no post could hold is cut, between
    code points. Split posts join to the text, a truncated text is its longest prefix that fits.

    Raises:
        InvalidMessage: a lone surrogate; or too many segments, where overflow is refused.
    """
    whole = _post(text, 0, len(text))
    if whole.segments <= max_segments:
        return (whole,)
    if overflow is Overflow.REFUSE:
        reason = f"needs {whole.segments} segments, the limit is {max_segments}"
        raise InvalidMessage("text", reason)
    pieces = _pieces(text, max_segments)
    return (next(pieces),) if overflow is Overflow.TRUNCATE else tuple(pieces)


def _post(text: str, start: int, end: int) -> Post:
    piece = text[start:end]
    return Post(start, end, encoding_of(piece), len(segments(piece)))


def _pieces(text: str, max_segments: int) -> Iterator[Post]:
    # A post holds at most 160 characters a segment, and one more shows whether its last cluster
    # goes on. Not looking further keeps the time in proportion to the text.
    horizon = max_segments * LIMITS[Encoding.GSM7].alone + 1
    start = 0
    while start < len(text):
        end = start + _reach(text[start : start + horizon], max_segments)
        yield _post(text, start, end)
        start = end


def _reach(text: str, max_segments: int) -> int:
    farthest = max(
        _capacity(gsm7_prefix(text), Encoding.GSM7, max_segments),
        _capacity(text, Encoding.UTF8, max_segments),
    )
    return _last_boundary(text, farthest) or farthest


def _capacity(text: str, encoding: Encoding, max_segments: int) -> int:
    # One segment alone can hold more than two joined ones, where a large cluster leaves most of the
    # first unused.
    alone = next(fill(text, encoding, LIMITS[encoding].alone))
    *_, last = islice(fill(text, encoding, LIMITS[encoding].joined), max_segments)
    return max(alone.end, last.end)


def _last_boundary(text: str, farthest: int) -> int:
    boundary = 0
    for cluster in clusters(text):
        if boundary + len(cluster) > farthest:
            break
        boundary += len(cluster)
    return boundary
