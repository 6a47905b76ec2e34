"""A log that was touched anywhere is found out, and the line is named."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_logs import lives, made_log, shipped_machine

from sms_fsm.log import chained, sealed, sealed_lines
from sms_fsm.replay import Entry, LogProblem, ProblemCode, bounded_lines, read_log, verify
from sms_fsm.replay.lines import LONGEST_LINE

EVENTS_EACH = 9
LOG = tuple(made_log(5, EVENTS_EACH, seed=4))
RECORDS = range(1, len(LOG))


def problems(lines: Iterable[str | bytes]) -> list[LogProblem]:
    """What reading finds, without judging."""
    return [item for item in read_log(lines) if isinstance(item, LogProblem)]


def judged(lines: Iterable[str | bytes]) -> list[tuple[int, ProblemCode]]:
    return [(problem.line, problem.code) for problem in verify(lines).problems]


def codes(lines: Iterable[str | bytes]) -> list[tuple[int, ProblemCode]]:
    return [(problem.line, problem.code) for problem in problems(lines)]


def is_last(index: int) -> bool:
    """Whether a record is the last of its conversation."""
    return index % EVENTS_EACH == 0


def is_first(index: int) -> bool:
    return index % EVENTS_EACH == 1


def test_an_untouched_log_has_no_problem() -> None:
    assert problems(list(LOG)) == []


# One edit


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(RECORDS), st.floats(0, 1, exclude_max=True), st.characters(codec="utf-8"))
def test_one_changed_character_is_found_in_its_line(
    index: int, place: float, character: str
) -> None:
    line = LOG[index]
    at = int(place * len(line))
    assume(character != line[at] and character not in "\r\n")
    touched = [*LOG[:index], line[:at] + character + line[at + 1 :], *LOG[index + 1 :]]
    found = problems(touched)
    assert [problem.line for problem in found] == [index + 1]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RECORDS), st.floats(0, 1, exclude_max=True), st.sampled_from("0123aeZ}"))
def test_one_changed_character_is_one_problem_for_the_judge_too(
    index: int, place: float, character: str
) -> None:
    line = LOG[index]
    at = int(place * len(line))
    assume(character != line[at])
    touched = [*LOG[:index], line[:at] + character + line[at + 1 :], *LOG[index + 1 :]]
    report = verify(touched)
    assert [problem.line for problem in report.problems] == [index + 1]
    assert report.events >= len(RECORDS) - 1
    assert {d.conversation for d in report.divergences} <= {orjson.loads(line)["conversation"]}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(RECORDS),
    st.sampled_from(["name", "at", "source", "target", "transition", "graph", "conversation"]),
    st.sampled_from(["ReplyRequested", "archived", "2026-03-01T12:00:00+00:00", "x"]),
)
def test_one_changed_field_is_one_problem(index: int, field: str, value: str) -> None:
    record = orjson.loads(LOG[index])
    assume(record[field] != value)
    line = orjson.dumps({**record, field: value}).decode()
    found = problems([*LOG[:index], line, *LOG[index + 1 :]])
    assert {problem.line for problem in found} == {index + 1}
    assert found[0].code in (ProblemCode.ALTERED, ProblemCode.STRAY, ProblemCode.MIDDLE)


@settings(deadline=None)
@given(st.sampled_from(RECORDS), st.integers(-3, 30))
def test_a_changed_number_is_one_problem(index: int, number: int) -> None:
    record = orjson.loads(LOG[index])
    assume(record["seq"] != number)
    line = orjson.dumps({**record, "seq": number}).decode()
    found = problems([*LOG[:index], line, *LOG[index + 1 :]])
    assert [problem.line for problem in found] == [index + 1]


def test_a_touched_record_does_not_hide_the_next_one() -> None:
    touched = list(LOG)
    for index in (3, 5, 6, EVENTS_EACH + 4):
        touched[index] = touched[index].replace('"at":"2026', '"at":"2025')
    assert [line for line, _ in codes(touched)] == [4, 6, 7, EVENTS_EACH + 5]


def test_a_changed_hash_is_told_once() -> None:
    touched = list(LOG)
    touched[3] = touched[3].replace('"hash":"', '"hash":"f')[:-3] + '"}'
    record = orjson.loads(LOG[3])
    touched[3] = LOG[3].replace(record["hash"], "0" * 64)
    assert codes(touched) == [(4, ProblemCode.ALTERED)]


# Removed, repeated and moved lines


@settings(deadline=None)
@given(st.sampled_from(RECORDS))
def test_a_removed_record_is_found_where_it_was(index: int) -> None:
    touched = [*LOG[:index], *LOG[index + 1 :]]
    if is_last(index):
        assert codes(touched) == [(index, ProblemCode.CUT)]
    elif is_first(index):
        assert codes(touched) == [(index + 1, ProblemCode.MIDDLE)]
    else:
        assert codes(touched) == [(index + 1, ProblemCode.MISSING)]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(RECORDS), st.integers(2, EVENTS_EACH - 2))
def test_several_removed_records_are_one_gap(index: int, count: int) -> None:
    assume((index - 1) // EVENTS_EACH == (index + count - 2) // EVENTS_EACH)
    touched = [*LOG[:index], *LOG[index + count :]]
    assert len(codes(touched)) == 1


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECORDS), st.sampled_from(RECORDS))
def test_two_records_that_changed_places_are_found(one: int, other: int) -> None:
    assume(one != other)
    touched = list(LOG)
    touched[one], touched[other] = touched[other], touched[one]
    lines = {problem.line for problem in problems(touched)}
    assert lines & {one + 1, other + 1}


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 4), st.sets(st.integers(1, EVENTS_EACH), min_size=2, max_size=2))
def test_swaps_within_a_conversation_name_both_lines_alone(
    conversation: int, places: set[int]
) -> None:
    one, other = (conversation * EVENTS_EACH + place for place in sorted(places))
    touched = list(LOG)
    touched[one], touched[other] = touched[other], touched[one]
    lines = {problem.line for problem in problems(touched)}
    if is_first(one):
        assert lines >= {one + 1, other + 1}
    elif other == one + 1:
        # The same as a record that came one line too early.
        assert lines == {one + 1, other + 2 - is_last(other)}
    else:
        assert lines == {one + 1, other + 1}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECORDS), st.sampled_from(RECORDS))
def test_a_record_that_stands_twice_is_found(index: int, place: int) -> None:
    touched = [*LOG[:place], LOG[index], *LOG[place:]]
    lines = {problem.line for problem in problems(touched)}
    assert lines & {place, place + 1, place + 2}


def test_the_rest_of_a_log_is_judged_after_a_gap() -> None:
    touched = [*LOG[:4], *LOG[5:]]
    report = verify(touched)
    assert report.events == len(RECORDS) - 1
    assert report.judged == len(RECORDS) - (EVENTS_EACH - 3)
    assert report.divergences == ()
    assert not report.clean


def test_a_duplicate_does_not_stop_its_conversation_from_being_judged() -> None:
    report = verify([*LOG[:4], LOG[3], *LOG[4:]])
    assert [problem.code for problem in report.problems] == [ProblemCode.OUT_OF_ORDER]
    assert report.judged == len(RECORDS)
    assert report.divergences == ()


# Logs that are none


def test_an_empty_log_is_a_problem() -> None:
    assert codes([]) == [(1, ProblemCode.EMPTY)]


def test_a_log_without_conversations_is_none() -> None:
    assert codes([LOG[0]]) == []


@settings(deadline=None)
@given(st.integers(1, 2_000))
def test_a_file_that_was_cut_off_is_found(cut: int) -> None:
    text = "\n".join(LOG) + "\n"
    kept = text[: len(text) - cut - 1]
    assume(not kept.endswith("}") or is_last(kept.count("\n")) is False)
    found = problems(list(bounded_lines(io.BytesIO(kept.encode()))))
    assert len(found) == 1
    assert found[0].line in (kept.count("\n"), kept.count("\n") + 1)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200).filter(lambda garbage: b"\n" not in garbage and garbage.strip()))
def test_binary_garbage_is_one_problem_in_its_line(garbage: bytes) -> None:
    lines: list[str | bytes] = [*LOG[:5], garbage, *LOG[5:]]
    report = verify(lines)
    assert [problem.line for problem in report.problems] == [6]
    assert report.problems[0].code is ProblemCode.UNREADABLE
    assert report.judged == len(RECORDS)


@pytest.mark.parametrize(
    "line", ["null", "[]", "{}", "7", '"x"', '{"graph":{}}', '{"graph":null}', "[" * 100_000, "NaN"]
)
def test_json_that_is_no_line_of_a_log_is_named(line: str) -> None:
    assert codes([*LOG, line]) == [(len(LOG) + 1, ProblemCode.UNREADABLE)]


def test_a_line_of_a_hundred_megabytes_is_never_in_memory_as_a_whole() -> None:
    class Endless(io.BytesIO):
        left = 100 * 1024 * 1024
        largest = 0

        def readline(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 < size <= LONGEST_LINE + 1
            Endless.largest = max(Endless.largest, size)
            taken = min(size, self.left)
            self.left -= taken
            return b"x" * taken

    lines = list(bounded_lines(Endless()))
    assert len(lines) == 1
    assert codes([*LOG, lines[0].decode()]) == [(len(LOG) + 1, ProblemCode.TOO_LONG)]


def test_lines_after_an_overlong_one_are_read() -> None:
    overlong = b"x" * (LONGEST_LINE * 2 + 5)
    file = io.BytesIO(b"\n".join([LOG[0].encode(), overlong, *map(str.encode, LOG[1:])]))
    report = verify(bounded_lines(file))
    assert [(p.line, p.code) for p in report.problems] == [(2, ProblemCode.TOO_LONG)]
    assert report.judged == len(RECORDS)


def test_a_log_from_some_time_on_says_that_it_cannot_be_replayed() -> None:
    one, other = lives(2, 6, seed=7)
    lines = [LOG[0], *sealed_lines(one.log[3:]), *sealed_lines(other.log)]
    report = verify(lines)
    assert [(p.line, p.code) for p in report.problems] == [(2, ProblemCode.MIDDLE)]
    assert "cannot be replayed" in report.problems[0].reason
    assert report.judged == 6
    assert sum(report.conversations.values()) == 1


# Whole conversations


def without(*conversations: int) -> list[str]:
    """The log without these conversations, counted from 1."""
    gone = {
        (number - 1) * EVENTS_EACH + place
        for number in conversations
        for place in range(1, EVENTS_EACH + 1)
    }
    return [line for index, line in enumerate(LOG) if index not in gone]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_conversation_that_was_left_out_whole_is_missed_where_the_next_one_ends(
    number: int,
) -> None:
    report = verify(without(number))
    (problem,) = report.problems
    assert (problem.line, problem.code) == (number * EVENTS_EACH + 1, ProblemCode.LEFT_OUT)
    assert problem.reason == (
        f"conversation {number + 1} of the log ends here, and one was left out before it"
    )
    assert report.judged == report.events == 4 * EVENTS_EACH


@pytest.mark.parametrize("gone", [(5,), (4, 5), (2, 3, 4, 5)])
def test_conversations_that_were_left_out_at_the_end_are_missed(gone: tuple[int, ...]) -> None:
    kept = without(*gone)
    assert codes(kept) == [(len(kept), ProblemCode.LEFT_OUT)]


def test_several_gaps_are_named_each() -> None:
    assert codes(without(1, 3, 5)) == [
        (EVENTS_EACH + 1, ProblemCode.LEFT_OUT),
        (2 * EVENTS_EACH + 1, ProblemCode.LEFT_OUT),
        (2 * EVENTS_EACH + 1, ProblemCode.LEFT_OUT),
    ]


def test_conversations_that_changed_places_are_found() -> None:
    second, third = LOG[EVENTS_EACH + 1 : 2 * EVENTS_EACH + 1], LOG[2 * EVENTS_EACH + 1 :]
    moved = [*LOG[: EVENTS_EACH + 1], *third[:EVENTS_EACH], *second, *third[EVENTS_EACH:]]
    assert codes(moved) != []


def old(line: str) -> str:
    """The line as exports wrote it that did not number conversations."""
    return re.sub(r',"last":\d+(,"of":\d+)?', ',"last":true', line)


def test_a_log_that_does_not_number_its_conversations_is_verified_and_said_to_be_such() -> None:
    report = verify([old(line) for line in LOG])
    assert report.clean
    assert report.judged == len(RECORDS)
    assert not report.numbered
    assert verify(LOG).numbered


def test_what_else_was_removed_is_found_in_such_a_log_too() -> None:
    lines = [old(line) for line in LOG]
    assert codes([*lines[:4], *lines[5:]]) == [(5, ProblemCode.MISSING)]
    assert codes(lines[:-1]) == [(len(LOG) - 1, ProblemCode.CUT)]


def test_logs_may_be_put_one_behind_the_other() -> None:
    assert codes([*LOG, *LOG[1:]]) == []
    assert codes([*LOG, *without(2)[1:]]) == [(len(LOG) + 2 * EVENTS_EACH, ProblemCode.LEFT_OUT)]


@pytest.mark.parametrize(
    "end", ["0", "-1", "1.0", "null", "false", '"1"', '1,"of":2', '1,"of":1.0']
)
def test_an_end_that_no_export_writes_makes_a_line_unreadable(end: str) -> None:
    touched = [*LOG[:EVENTS_EACH], LOG[EVENTS_EACH].replace('"last":1', f'"last":{end}')]
    assert codes([*touched, *LOG[EVENTS_EACH + 1 :]]) == [(EVENTS_EACH + 1, ProblemCode.UNREADABLE)]


def test_windows_line_ends_and_blank_lines_do_no_harm() -> None:
    assert problems([*(line + "\r\n" for line in LOG), "\n", ""]) == []


def test_a_log_that_was_written_anew_is_called_altered() -> None:
    spaced = [orjson.dumps(orjson.loads(line)).decode().replace(":", ": ") for line in LOG[1:]]
    assert {code for _, code in codes([LOG[0], *spaced])} == {ProblemCode.ALTERED}


# Graphs


def test_a_conversation_whose_graph_is_not_in_the_log_is_named_once() -> None:
    found = judged(list(made_log(2, EVENTS_EACH, seed=4))[1:])
    assert found == [(1, ProblemCode.UNKNOWN_GRAPH), (EVENTS_EACH + 1, ProblemCode.UNKNOWN_GRAPH)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":1', '"version":2'),
        ('"hash":"', '"hash":"0'),
        ("to: awaiting_delivery", "to: delivered"),
        ("when: [is_outbound]", "when: [is_unheard_of]"),
        ("graph: sms-continuity", "graph: another"),
        ("states:", "stats:"),
    ],
)
def test_a_touched_graph_is_named(old: str, new: str) -> None:
    assert old in LOG[0]
    found = judged([LOG[0].replace(old, new, 1), *LOG[1:]])
    assert found[0] == (1, ProblemCode.GRAPH)


# Forged logs: the chain holds, the content cannot be


def forged(*changes: dict[str, object]) -> list[str]:
    """The first conversation with changed records, sealed again."""
    lines, previous = [LOG[0]], ""
    for number, line in enumerate(LOG[1 : EVENTS_EACH + 1], 1):
        record = orjson.loads(line)
        record.pop("hash")
        last, of = record.pop("last", None), record.pop("of", None)
        for change in changes:
            if change["seq"] == number:
                record |= change
        text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
        previous = chained(previous, text)
        lines.append(sealed(text, previous, last=last, of=of))
    return lines


def test_an_event_about_a_text_that_never_came_is_a_problem() -> None:
    data = {"message": 77, "part": 0, "reference": "r", "message_id": "m", "effect": "e"}
    lines = forged({"seq": 3, "name": "MessagePosted", "data": {**data, "how": "answer"}})
    assert (4, ProblemCode.IMPOSSIBLE) in judged(lines)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, EVENTS_EACH),
    st.sampled_from(sorted(shipped_machine().graph.events)),
    st.dictionaries(
        st.sampled_from(
            ["message", "part", "parts", "routing", "message_id", "key", "name", "outcome", "codes"]
        ),
        st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=4) | st.lists(st.none()),
    ),
)
def test_no_event_data_can_stop_the_replay(seq: int, name: str, data: dict[str, object]) -> None:
    report = verify(forged({"seq": seq, "name": name, "data": data}))
    assert report.events == EVENTS_EACH


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, EVENTS_EACH),
    st.sampled_from(["effects", "cancelled", "guards"]),
    st.lists(
        st.none() | st.integers(-9, 9) | st.text(max_size=3) | st.dictionaries(st.text(), st.none())
    ),
)
def test_no_record_can_stop_the_replay(seq: int, field: str, value: list[object]) -> None:
    assert verify(forged({"seq": seq, field: value})).events == EVENTS_EACH


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-03-01T12:00:00", "9999-12-31T23:59:59+00:00"]
)
def test_no_time_can_stop_the_replay(at: str) -> None:
    report = verify(forged({"seq": 2, "at": at}))
    assert report.events == EVENTS_EACH


# Every record comes out of the reader


@settings(deadline=None)
@given(st.lists(st.sampled_from(LOG), max_size=12))
def test_records_in_any_order_all_come_out(lines: list[str]) -> None:
    entries = [item for item in read_log(lines) if isinstance(item, Entry)]
    assert len(entries) == sum('"seq":' in line for line in lines)
