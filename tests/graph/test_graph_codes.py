"""Every code has a document that earns it, at the right place, and a sibling that does not."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from graph_documents import SMALL, SMALL_NAMES, small, without_markers

from sms_fsm.graph import Names, check_file, check_migration, check_text, load_graph_text
from sms_fsm.graph.codes import Code

PAGE = Path(__file__).parents[2] / "docs" / "graph-codes.md"
BACK = "  - {id: back, from: b, on: Go, to: a}\n"
B = "  b: {rest: true}\n"
TICKING = small("transitions:", "timers:\n  Tick: {after: 1h, states: b}\ntransitions:")

# « marks each place of the slip; the second document is the mended one.
CASES: dict[Code, tuple[str, str]] = {
    Code.CONTROL_CHARACTER: (small("small", "small # «\x07"), small("small", "small # bell")),
    Code.TEXT_TOO_LARGE: ("«" + SMALL + "#" * 262_144, SMALL + "#" * 200_000),
    Code.TOO_MANY_NODES: (
        "a: [" + "x,\n" * 9_997 + "«x]",
        small("version: 2", "version: 2\nmigrate: []"),
    ),
    Code.TOO_DEEP: ("[" * 32 + "«x" + "]" * 32, SMALL),
    Code.VALUE_TOO_LONG: (
        small("version", f"title: «{'x' * 1_001}\nversion"),
        small("version", f"title: {'x' * 1_000}\nversion"),
    ),
    Code.SYNTAX: (small("version: 2\n", "version: 2\n«}"), SMALL),
    Code.EMPTY_DOCUMENT: ("«# nothing\n", SMALL),
    Code.SEVERAL_DOCUMENTS: (SMALL + "«---\na: 1\n", "---\n" + SMALL),
    Code.ALIAS: (
        small(B, "  b: «&it {rest: true}\n"),
        small(B, "  b: {title: '&it', rest: true}\n"),
    ),
    Code.TAG: (small("version: 2", "version: «!!int 2"), SMALL),
    Code.MERGE_KEY: (small(B, "  b: {«<<: {rest: true}, rest: true}\n"), SMALL),
    Code.KEY_NOT_TEXT: (small(B, B + "  «1: {}\n"), small(B, B)),
    Code.DUPLICATE_KEY: (small(B, B + "  «b: {}\n"), SMALL),
    Code.UNKNOWN_KEY: (
        small("b: {rest: true}", "b: {rest: true, «titel: x}"),
        small("b: {rest: true}", "b: {rest: true, title: x}"),
    ),
    Code.MISSING_KEY: (small("Tick: {kind: timer}", "Tick: «{title: x}"), SMALL),
    Code.WRONG_TYPE: (small("rest: true}\nevents", "rest: «maybe}\nevents"), SMALL),
    Code.BAD_DURATION: (
        small("retry_for: 1h", "retry_for: «3651d"),
        small("retry_for: 1h", "retry_for: 3650d"),
    ),
    Code.UNKNOWN_WORD: (small("hold", "«wait"), small("hold", "step_aside")),
    Code.BAD_NAME: (small("to: b", "to: «7b"), SMALL),
    Code.DOTTED_NAME: (small("do: call", "do: «os.system"), SMALL),
    Code.REPEATED_NAME: (
        small("do: call", "do: [call, «call]"),
        small("do: call", "do: [call, rest]"),
    ),
    Code.NOTHING_NAMED: (
        small(BACK, BACK + "  - {id: c, from: «'any but a, b', on: Tick}\n"),
        small(BACK, BACK + "  - {id: c, from: 'any but a', on: Tick}\n"),
    ),
    Code.BAD_NUMBER: (small("version: 2", "version: «0"), small("version: 2", "version: 1")),
    Code.TOO_MANY_STATES: (
        "«" + small(B, B + "".join(f"  s{n}: {{}}\n" for n in range(199))),
        SMALL,
    ),
    Code.TOO_MANY_TRANSITIONS: (
        small(B, B + "".join(f"  s{n}: {{}}\n" for n in range(198))).replace(
            BACK,
            BACK
            + "".join(f"  - {{id: r{n}, from: any, on: Tick}}\n" for n in range(49))
            + "  - {id: «last, from: any, on: Tick}\n",
        ),
        SMALL,
    ),
    Code.POLL_LIMIT: (
        small("states:", "policies:\n  delivery_poll: «{first: 2h, longest: 1h}\nstates:"),
        small("states:", "policies:\n  delivery_poll: {first: 1h, longest: 1h}\nstates:"),
    ),
    Code.UNKNOWN_STATE: (small("to: b", "to: «bb"), SMALL),
    Code.UNKNOWN_EVENT: (small("from: b, on: Go", "from: b, on: «Goo"), SMALL),
    Code.UNKNOWN_GUARD: (
        small("to: b", "to: b, when: [is_round, «is_gren]"),
        small("to: b", "to: b, when: [is_round, is_green]"),
    ),
    Code.UNKNOWN_ACTION: (small("do: call", "do: «cal"), SMALL),
    Code.UNKNOWN_EFFECT: (
        small("transitions", "  «Cll: {retry_for: 1h, on_failure: hold}\ntransitions"),
        SMALL,
    ),
    Code.UNKNOWN_ISOLATION: (
        small("states:", "policies: {isolation: «by_campain}\nstates:"),
        small("states:", "policies: {isolation: by_campaign}\nstates:"),
    ),
    Code.UNDECLARED_EVENT: (
        small("  Go: {kind: command}\n  Tick: {kind: timer}\n", "  «Go: {kind: command}\n"),
        SMALL,
    ),
    Code.UNDECLARED_EFFECT: (
        small("effects:\n  Call: {retry_for: 1h, on_failure: hold}\n", "").replace(
            "do: call", "do: «call"
        ),
        SMALL,
    ),
    Code.WRONG_KIND: (small("  Go: {kind: command}", "  «Go: {kind: fact}"), SMALL),
    Code.NOT_A_TIMER: (
        small("transitions:", "timers:\n  «Go: {after: 1h, states: b}\ntransitions:"),
        TICKING.replace(BACK, BACK + "  - {id: tick, from: b, on: Tick}\n"),
    ),
    Code.DUPLICATE_ID: (small("id: back", "id: «out"), SMALL),
    Code.MIGRATION_VERSION: (
        SMALL + "migrate:\n  - {from: «2, states: {a: a}}\n",
        SMALL + "migrate:\n  - {from: 1, states: {a: a}}\n",
    ),
    Code.DUPLICATE_MIGRATION: (
        SMALL + "migrate:\n  - {from: 1, states: {a: a}}\n  - {from: «1, states: {a: b}}\n",
        SMALL + "migrate:\n  - {from: 1, states: {a: a}}\n",
    ),
    Code.NO_INITIAL: (small("  a: {initial: true, rest: true}", "  «a: {rest: true}"), SMALL),
    Code.SEVERAL_INITIAL: (small("  b: {", "  «b: {initial: true, "), SMALL),
    Code.UNREACHABLE: (
        small(B, B + "  «c: {rest: true}\n"),
        small(B, B + "  c: {rest: true}\n").replace(
            BACK, BACK + "  - {id: on, from: b, on: Tick, to: c}\n"
        ),
    ),
    Code.TRAP: (
        small(B, "  «b: {}\n").replace(BACK, ""),
        small(B, "  b: {final: true}\n").replace(BACK, ""),
    ),
    Code.NO_WAY_TO_REST: (
        small(B, "  «b: {}\n  «c: {}\n").replace(
            BACK,
            "  - {id: on, from: b, on: Tick, to: c}\n  - {id: back, from: c, on: Go, to: b}\n",
        ),
        small(B, "  b: {rest: true}\n  c: {final: true}\n").replace(
            BACK, "  - {id: on, from: b, on: Tick, to: c}\n"
        ),
    ),
    Code.EXIT_FROM_FINAL: (
        small("b: {rest: true}", "b: {final: true}").replace("id: back", "id: «back"),
        small("b: {rest: true}", "b: {final: true}").replace("to: a}", "to: b}"),
    ),
    Code.AMBIGUOUS: (
        small("to: a}\n", "when: is_round, to: a}\n")
        + "  - {id: «twin, from: b, on: Go, when: [is_round]}\n",
        small("to: a}\n", "when: is_round, to: a}\n")
        + "  - {id: twin, from: b, on: Go, when: [is_green]}\n",
    ),
    Code.SHADOWED: (
        SMALL + "  - {id: «late, from: a, on: Go, when: is_round}\n",
        small("transitions:\n", "transitions:\n  - {id: late, from: a, on: Go, when: is_round}\n"),
    ),
    Code.AUTOMATIC_CYCLE: (
        small("  a:", "  «a:")
        .replace("transitions:", "timers:\n  Tick: {after: 1h, states: any}\ntransitions:")
        .replace("on: Go", "on: [Go, Tick]"),
        small("transitions:", "timers:\n  Tick: {after: 1h, states: any}\ntransitions:")
        .replace("a, on: Go", "a, on: [Go, Tick]")
        .replace(BACK, BACK + "  - {id: stay, from: b, on: Tick}\n"),
    ),
    Code.ENDLESS_DELIVERY_WAIT: (
        small("  b: {", "  «b: {awaits_delivery: true, "),
        small("  b: {", "  b: {awaits_delivery: true, ").replace(
            BACK, BACK + "  - {id: word, from: b, on: DeliveryReported, to: a}\n"
        ),
    ),
    Code.WAITS_WITHOUT_TIMER: (
        small("  b: {rest: true}", "  «b: {}"),
        TICKING.replace("b: {rest: true}", "b: {}").replace(
            "from: b, on: Go", "from: b, on: [Go, Tick]"
        ),
    ),
    Code.IDLE_TIMER: (
        TICKING.replace("  Tick: {after", "  «Tick: {after"),
        TICKING.replace("from: b, on: Go", "from: b, on: [Go, Tick]"),
    ),
    Code.UNPLANNED_EFFECT: (
        small("transitions", "  «Write: {retry_for: 1h, on_failure: hold}\ntransitions"),
        SMALL,
    ),
    Code.UNUSED_COMMAND: (
        small("  Go:", "  «Go:").replace("on: Go", "on: Tick"),
        SMALL,
    ),
}


# What the other tests of this module, each by itself, show.
ELSEWHERE = {
    Code.UNREADABLE_FILE,
    Code.NOT_UTF8,
    Code.NOT_ALWAYS_ACCEPTED,
    Code.NO_MIGRATION,
    Code.UNMAPPED_STATE,
    Code.UNKNOWN_OLD_STATE,
    Code.LOST_EFFECT,
}


def found(text: str, names: Names = SMALL_NAMES) -> list[tuple[str, int, int]]:
    return [(p.code, p.line, p.column) for p in check_text(text, names)]


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.name)
def test_a_slip_earns_its_code_at_its_place_and_no_other_of_that_severity(code: Code) -> None:
    text, places = without_markers(CASES[code][0])
    problems = [p for p in check_text(text, SMALL_NAMES) if p.severity == code.severity]
    assert [(p.code, (p.line, p.column)) for p in problems] == [(code, at) for at in places]


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.name)
def test_the_mended_document_has_no_problem(code: Code) -> None:
    assert found(CASES[code][1]) == []


@pytest.mark.parametrize(("sources", "expected"), [("any but b", [("G505", 7, 3)]), ("any", [])])
def test_a_text_should_be_taken_in_every_state(
    sources: str, expected: list[tuple[str, int, int]]
) -> None:
    names = replace(SMALL_NAMES, events=SMALL_NAMES.events | {"MessageReceived"})
    text = small("  Go:", "  MessageReceived: {kind: fact}\n  Go:")
    rule = f"  - {{id: text, from: {sources}, on: MessageReceived}}\n"
    assert found(text + rule, names) == expected


def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yaml", Path("nul\0.yaml")):
        (problem,) = check_file(path, SMALL_NAMES)
        assert (problem.code, problem.file) == ("G001", str(path))


def test_a_file_in_another_encoding_is_refused_at_the_first_odd_byte(tmp_path: Path) -> None:
    path = tmp_path / "states.yaml"
    path.write_bytes("# ä\ntitle: ".encode() + "ö".encode("latin-1"))
    (problem,) = check_file(path, SMALL_NAMES)
    assert (problem.code, problem.line, problem.column) == ("G002", 2, 8)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "states.yaml"
    path.write_text(SMALL, encoding="utf-8-sig")
    assert check_file(path, SMALL_NAMES) == ()


def test_a_file_that_is_cut_inside_a_character_by_the_limit_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "states.yaml"
    path.write_text("#" + "ä" * 200_000, encoding="utf-8")
    (problem,) = check_file(path, SMALL_NAMES)
    assert problem.code == "G004"


@pytest.mark.parametrize(
    ("migrate", "expected"),
    [
        ("", [("G401", 1)]),
        ("migrate:\n  - {from: 1, states: {a: a}}\n", [("G402", 16)]),
        ("migrate:\n  - {from: 1, states: {a: a, b: a, c: b}}\n", [("G403", 16)]),
        ("migrate:\n  - {from: 1, states: {a: a, b: a}}\n", []),
    ],
)
def test_a_migration_maps_exactly_the_states_of_the_old_version(
    migrate: str, expected: list[tuple[str, int]]
) -> None:
    old = load_graph_text(small("version: 2", "version: 1"), SMALL_NAMES)
    new = load_graph_text(SMALL + migrate, SMALL_NAMES, "new.yaml")
    problems = check_migration(old, new)
    assert [(p.code, p.line) for p in problems] == expected
    assert all(problem.file == "new.yaml" for problem in problems)


def test_an_effect_that_may_still_wait_must_stay_declared() -> None:
    old = load_graph_text(small("version: 2", "version: 1"), SMALL_NAMES)
    migrate = "migrate:\n  - {from: 1, states: {a: a, b: a}}\n"
    bare = SMALL.replace("effects:\n  Call: {retry_for: 1h, on_failure: hold}\n", "")
    new = load_graph_text(bare.replace(", do: call", "") + migrate, SMALL_NAMES)
    assert [p.code for p in check_migration(old, new)] == ["G404"]


def test_a_way_back_without_a_higher_version_is_explained() -> None:
    old = load_graph_text(SMALL, SMALL_NAMES)
    new = load_graph_text(small("version: 2", "version: 1"), SMALL_NAMES)
    (problem,) = check_migration(old, new)
    assert "give this graph a version above 2" in problem.message


def test_every_code_is_shown_by_some_test() -> None:
    assert CASES.keys() | ELSEWHERE == set(Code)


def test_the_page_explains_every_code_once_and_no_other() -> None:
    rows = re.findall(r"^\| (G\d{3}) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == sorted(Code)
