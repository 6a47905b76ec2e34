"""Texts: encoding, length, segments and posts, against 284 messages and for any text at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import regex  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.errors import InvalidMessage
from sms_fsm.sms import (
    Encoding,
    Overflow,
    Post,
    Segment,
    check_inbound,
    check_outbound,
    encoding_of,
    posts,
    segments,
    units,
)
from sms_fsm.sms.text import clusters

DATA = Path(__file__).parents[1] / "data" / "sms-segments.jsonl"
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in DATA.read_text(encoding="ascii").splitlines()
]
STRICT = [row for row in ROWS if row["valid"] and not row["disputed"]]
INVALID = [row for row in ROWS if not row["valid"]]
ENCODINGS = {"GSM-7": Encoding.GSM7, "UCS-2": Encoding.UTF8}

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
FLAG = "\U0001f1eb\U0001f1f7"
ACUTE = "\u0301"
PIECES = (
    *("a", "b ", "{", "€", "\r\n", "\r", "\n", "é", "ç", "e" + ACUTE, ACUTE, "\u0000"),
    *(FAMILY, FLAG, "\U0001f1eb", "\u200d", "1\ufe0f\u20e3", "क्षि", "한", "\U0001f600", "x" * 60),
    *("]" * 75, "y" * 152, "a" + ACUTE * 64, "b" + ACUTE * 69, "c" + ACUTE * 150, FAMILY[:-1] * 9),
)
any_text = st.text(st.characters(codec="utf-8"), max_size=400)
tricky_text = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
texts = st.one_of(any_text, tricky_text)


def limits(text: str) -> tuple[int, int]:
    return (160, 153) if encoding_of(text) is Encoding.GSM7 else (70, 67)


def boundaries(text: str) -> set[int]:
    return {match.end() for match in regex.finditer(r"\X", text)} | {0}


def slices(text: str, cuts: tuple[Segment, ...] | tuple[Post, ...]) -> list[str]:
    return [text[cut.start : cut.end] for cut in cuts]


def cluster_around(text: str, cut: int) -> str:
    starts = boundaries(text)
    start = max(offset for offset in starts if offset <= cut)
    return text[start : min(offset for offset in starts if offset > cut)]


@pytest.mark.parametrize("row", STRICT, ids=[row["id"] for row in STRICT])
def test_a_known_message_is_encoded_measured_and_cut_as_its_row_says(row: dict[str, Any]) -> None:
    text = row["text"]
    cuts = segments(text)
    assert encoding_of(text) is ENCODINGS[row["encoding"]]
    assert units(text) == row["units"]
    assert len(cuts) == row["grapheme_segments"]
    assert [cut.units for cut in cuts] == row["grapheme_segment_units"]
    assert [units_as(piece, text) for piece in slices(text, cuts)] == row["grapheme_segment_units"]


@pytest.mark.parametrize("row", STRICT, ids=[row["id"] for row in STRICT])
def test_a_known_message_has_as_many_clusters_as_its_row_says(row: dict[str, Any]) -> None:
    assert len(list(clusters(row["text"]))) == row["graphemes"]


@pytest.mark.parametrize("row", INVALID, ids=[row["id"] for row in INVALID])
@pytest.mark.parametrize("use", [encoding_of, units, segments, check_inbound, check_outbound])
def test_a_lone_surrogate_is_refused_everywhere(
    use: Callable[[str], object], row: dict[str, Any]
) -> None:
    with pytest.raises(InvalidMessage, match=r"^text: has a lone surrogate at offset \d+$"):
        use(row["text"])


def test_the_data_set_is_complete() -> None:
    assert (len(ROWS), len(STRICT), len(INVALID)) == (284, 279, 3)


def units_as(piece: str, whole: str) -> int:
    """The piece's length in the encoding of the whole text."""
    if encoding_of(whole) is Encoding.GSM7:
        return units(piece)
    return len(piece.encode("utf-16-be")) // 2


@given(texts)
def test_segments_cover_the_text_in_order_and_none_is_over_the_limit(text: str) -> None:
    cuts = segments(text)
    alone, joined = limits(text)
    assert "".join(slices(text, cuts)) == text
    assert [cut.start for cut in cuts] == [0, *(cut.end for cut in cuts[:-1])]
    assert cuts[-1].end == len(text)
    assert [cut.units for cut in cuts] == [units_as(piece, text) for piece in slices(text, cuts)]
    assert all(cut.units <= (alone if len(cuts) == 1 else joined) for cut in cuts)
    assert sum(cut.units for cut in cuts) == units(text)


@given(texts)
def test_a_segment_ends_inside_a_cluster_only_when_no_segment_could_hold_it(text: str) -> None:
    whole = boundaries(text)
    for cut in segments(text):
        if cut.end not in whole:
            assert units_as(cluster_around(text, cut.end), text) > limits(text)[1]


@given(texts)
def test_a_segment_ends_early_only_before_something_that_did_not_fit(text: str) -> None:
    cuts = segments(text)
    _, joined = limits(text)
    for cut in cuts[:-1]:
        cluster = cluster_around(text, cut.end)
        size = units_as(cluster, text)
        needed = size if size <= joined else units_as(text[cut.end], text)
        assert cut.units + needed > joined


@given(texts)
def test_a_text_is_gsm7_exactly_when_each_of_its_characters_is(text: str) -> None:
    each = {encoding_of(character) for character in text}
    assert (encoding_of(text) is Encoding.UTF8) == (Encoding.UTF8 in each)


@given(texts)
def test_units_are_the_utf16_length_or_the_septets_of_all_characters(text: str) -> None:
    if encoding_of(text) is Encoding.UTF8:
        assert units(text) == len(text.encode("utf-16-le")) // 2
    else:
        assert units(text) == sum(2 if character in "\f^{}\\[~]|€" else 1 for character in text)


@given(st.one_of(texts, st.text("\U0001f1e6\u0301\u200d\u0600\u0903a\U0001f600", max_size=40)))
def test_clusters_are_those_of_the_unicode_standard(text: str) -> None:
    assert list(clusters(text)) == regex.findall(r"\X", text)


def test_the_gsm7_alphabet_has_127_characters_and_ten_that_take_two_septets() -> None:
    alphabet = [
        chr(code)
        for code in range(0x10000)
        if not 0xD800 <= code < 0xE000 and encoding_of(chr(code)) is Encoding.GSM7
    ]
    assert sum(units(character) == 1 for character in alphabet) == 127
    assert {character for character in alphabet if units(character) == 2} == set("\f^{}\\[~]|€")


def test_an_empty_text_is_one_empty_segment_and_one_post() -> None:
    assert segments("") == (Segment(0, 0, 0),)
    assert posts("", max_segments=1, overflow=Overflow.REFUSE) == (Post(0, 0, Encoding.GSM7, 1),)


@pytest.mark.parametrize("text", [" ", "\n", "\u00a0", "\u0000", "hi", "héllo 👋", "x" * 100_000])
def test_an_outbound_text_of_any_content_is_taken(text: str) -> None:
    check_outbound(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("red \x1b[0m", "has U+001B at offset 4"),
        ("\ud83d\ude00", "has a lone surrogate at offset 0"),
        (None, "must be a string, not NoneType"),
        (b"hi", "must be a string, not bytes"),
    ],
)
def test_an_outbound_text_that_cannot_be_sent_is_refused_with_the_reason(
    text: object, reason: str
) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        check_outbound(text)
    assert refusal.value.field == "text"
    assert refusal.value.reason.startswith(reason)


@pytest.mark.parametrize("text", ["", " ", "\x1b", "\u0000"])
def test_an_inbound_text_may_be_empty_and_may_hold_the_escape(text: str) -> None:
    check_inbound(text)


@pytest.mark.parametrize("text", [None, 7, b"hi", ["hi"]])
def test_an_inbound_text_must_be_a_string(text: object) -> None:
    with pytest.raises(InvalidMessage, match="must be a string"):
        check_inbound(text)


def test_no_refusal_repeats_the_text() -> None:
    for text in ("secret \x1b", "secret \udc00"):
        with pytest.raises(InvalidMessage) as refusal:
            check_outbound(text)
        assert "secret" not in str(refusal.value)
        assert refusal.value.__context__ is None


some_segments = st.integers(min_value=1, max_value=4)


@given(texts, some_segments)
def test_split_posts_join_to_the_text(text: str, most: int) -> None:
    parts = posts(text, max_segments=most, overflow=Overflow.SPLIT)
    assert "".join(slices(text, parts)) == text
    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]


@given(texts, some_segments)
def test_a_post_is_encoded_and_counted_as_a_text_of_its_own(text: str, most: int) -> None:
    for part in posts(text, max_segments=most, overflow=Overflow.SPLIT):
        piece = text[part.start : part.end]
        assert part.encoding is encoding_of(piece)
        assert part.segments == len(segments(piece)) <= most


@given(texts, some_segments)
def test_a_post_ends_inside_a_cluster_only_when_no_post_could_hold_it(text: str, most: int) -> None:
    whole = boundaries(text)
    for part in posts(text, max_segments=most, overflow=Overflow.SPLIT):
        if part.end not in whole:
            assert len(segments(cluster_around(text, part.end))) > most


@given(texts, some_segments)
def test_a_post_ends_early_only_before_a_cluster_that_did_not_fit(text: str, most: int) -> None:
    for part in posts(text, max_segments=most, overflow=Overflow.SPLIT)[:-1]:
        following = next(clusters(text[part.end :]))
        assert len(segments(text[part.start : part.end] + following)) > most


@given(texts, some_segments)
def test_truncation_keeps_the_first_of_the_split_posts(text: str, most: int) -> None:
    split = posts(text, max_segments=most, overflow=Overflow.SPLIT)
    assert posts(text, max_segments=most, overflow=Overflow.TRUNCATE) == split[:1]


@given(texts, some_segments)
def test_refusal_names_the_count_and_the_limit_exactly_when_one_post_is_too_few(
    text: str, most: int
) -> None:
    count = len(segments(text))
    refuse = partial(posts, text, max_segments=most, overflow=Overflow.REFUSE)
    if count <= most:
        assert refuse() == (Post(0, len(text), encoding_of(text), count),)
    else:
        with pytest.raises(InvalidMessage, match=f"needs {count} segments, the limit is {most}$"):
            refuse()


def test_a_slice_without_foreign_characters_is_posted_as_gsm7() -> None:
    text = "a" * 160 + "ç" * 70 + "b" * 160
    assert posts(text, max_segments=1, overflow=Overflow.SPLIT) == (
        Post(0, 160, Encoding.GSM7, 1),
        Post(160, 230, Encoding.UTF8, 1),
        Post(230, 390, Encoding.GSM7, 1),
    )


def test_a_gsm7_slice_does_not_end_between_a_letter_and_its_accent() -> None:
    text = "a" * 159 + "e" + ACUTE
    parts = posts(text, max_segments=1, overflow=Overflow.SPLIT)
    assert [part.end for part in parts] == [159, 161]


def test_a_cluster_larger_than_a_segment_goes_whole_into_the_next_post() -> None:
    text = "ç" * 100 + "e" + ACUTE * 100
    parts = posts(text, max_segments=2, overflow=Overflow.SPLIT)
    assert [part.end for part in parts] == [100, 201]


def test_one_segment_alone_can_hold_more_than_two_joined_ones() -> None:
    text = "a" + "b" + ACUTE * 66 + "cd" + "e" * 200
    first, *_ = posts(text, max_segments=2, overflow=Overflow.SPLIT)
    assert (first.end, first.segments) == (70, 1)


def seconds(use: Callable[[], object]) -> float:
    """Processor time of the fastest of three runs: other work on the machine only ever adds."""
    runs = []
    for _ in range(3):
        start = time.process_time()
        use()
        runs.append(time.process_time() - start)
    return min(runs)


@pytest.mark.parametrize(
    "piece",
    ["a", "{", "\r\n", ACUTE, "\U0001f1e6", FLAG, FAMILY, "\U0001f600", "\u200d\U0001f469", "क्"],
    ids=ascii,
)
@pytest.mark.parametrize(
    "use",
    [segments, partial(posts, max_segments=1, overflow=Overflow.SPLIT)],
    ids=["segments", "posts"],
)
def test_a_text_eight_times_as_long_takes_about_eight_times_as_long(
    use: Callable[[str], object], piece: str
) -> None:
    short = "e" + piece * (2_000 // len(piece))
    long = "e" + piece * (16_000 // len(piece))
    assert seconds(partial(use, long)) < 24 * seconds(partial(use, short))
