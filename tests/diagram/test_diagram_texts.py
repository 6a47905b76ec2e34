"""Every text format names everything, is the same each time, and cannot be broken out of."""

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings

from sms_fsm.diagram import DiagramError, render
from sms_fsm.diagram.labels import clean
from sms_fsm.errors import SmsFsmError
from sms_fsm.graph import Policies, StateGraph

from .diagram_graphs import HOSTILE, graphs, hostile_graph, life, shuffled

ROOT = Path(__file__).parents[2]


def read_mermaid(text: str) -> str:
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text.replace("<br/>", " "))


def read_dot(text: str) -> str:
    unescaped = re.sub(r"\\(.)", lambda mark: " " if mark[1] in "nl" else mark[1], text)
    return html.unescape(unescaped)


def read_plantuml(text: str) -> str:
    rows = text.replace("\\n", " ")
    return re.sub(r"<U\+([0-9A-F]{4,6})>", lambda code: chr(int(code[1], 16)), rows)


READERS: dict[str, Callable[[str], str]] = {
    "mermaid": read_mermaid,
    "dot": read_dot,
    "plantuml": read_plantuml,
}
TEXTS = (*READERS, "json")


def words(text: str) -> list[str]:
    return clean(text).split()


def text_of(graph: StateGraph, form: str, *, internal: bool = False) -> str:
    picture = render(graph, form, internal=internal)
    assert isinstance(picture, str)
    return picture


@pytest.mark.parametrize("form", READERS)
@settings(max_examples=40)
@given(graph=graphs())
def test_every_state_and_every_event_is_named(form: str, graph: StateGraph) -> None:
    shown = set(re.split(r'[\s,"]+', READERS[form](text_of(graph, form))))
    assert {*graph.states, *graph.events} <= shown


@given(graph=graphs())
def test_json_holds_every_transition_in_order_and_all_else_by_name(graph: StateGraph) -> None:
    read = json.loads(text_of(graph, "json"))
    assert {state["name"] for state in read["states"]} == set(graph.states)
    assert {event["name"] for event in read["events"]} == set(graph.events)
    assert [(t["source"], t["event"], t["target"]) for t in read["transitions"]] == [
        (t.source, t.event, t.target) for t in graph.transitions
    ]


def test_json_tells_durations_in_seconds_and_the_whole_hash() -> None:
    graph = life()
    read = json.loads(text_of(graph, "json"))
    assert read["timers"][0]["after"] == 72 * 3600
    assert read["policies"]["retry_after"] == [60, 300, 900]
    assert read["behaviour_hash"] == graph.behaviour_hash
    assert set(read["policies"]) == {field.name for field in fields(Policies)}


@pytest.mark.parametrize("form", READERS)
def test_a_picture_tells_which_graph_it_shows(form: str) -> None:
    read = READERS[form](text_of(life(), form))
    assert "A small life" in read
    assert "small · version 3 · 0123456789ab" in read
    assert "0123456789abc" not in read


@pytest.mark.parametrize("form", READERS)
def test_an_arrow_tells_event_guards_actions_and_wait(form: str) -> None:
    read = READERS[form](text_of(life(), form))
    assert re.search(r"Opened \[is_fresh\]\s+/ greet, route", read)
    assert "Idle after 72h" in read
    assert "on Received / post" in READERS[form](text_of(life(), form, internal=True))


@pytest.mark.parametrize("form", TEXTS)
def test_the_order_of_mappings_does_not_matter(form: str) -> None:
    assert text_of(shuffled(life()), form) == text_of(life(), form)


def test_texts_are_the_same_in_every_process() -> None:
    program = (
        "import hashlib; from diagram.diagram_graphs import life; "
        "from sms_fsm.diagram import render; "
        f"forms = {TEXTS!r}; texts = [render(life(), form, internal=True) for form in forms]; "
        "print(hashlib.sha256(repr(texts).encode()).hexdigest())"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_what_xml_forbids_or_what_reorders_text_is_replaced_and_the_rest_kept() -> None:
    assert clean("a\u202eb\x00c\ud800d\ufffee") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    assert clean(" one\r\n\ttwo\u2028three 🙂 שלום ") == "one two three 🙂 שלום"


@pytest.mark.parametrize("form", READERS)
def test_hostile_texts_are_shown_as_they_are(form: str) -> None:
    shown = " ".join(READERS[form](text_of(hostile_graph(), form)).split())
    for text in HOSTILE:
        assert " ".join(words(text)) in shown


# The whole of each format's grammar that a picture may use, with what a label may hold.
MERMAID_LABEL = r"(?:[\w .,()/+'·×…-]|#\d+;|<br/>)*"  # noqa: RUF001 - signs of labels
PLANTUML_LABEL = r"(?:[\w .,()\[\]/+'·×…-]|<U\+[0-9A-F]{4,6}>|\\n)*"  # noqa: RUF001 - the same
DOT_VALUE = r'"(?:[^"\\]|\\.)*"'
STATEMENTS = {
    "mermaid": (
        "---",
        "title: .*",
        "stateDiagram-v2",
        "direction TB",
        "}",
        rf'state "{MERMAID_LABEL}" as \w+(?: {{)?',
        rf"\w+ : {MERMAID_LABEL}",
        r"(?:\w+|\[\*\]) --> (?:\w+|\[\*\])",
        rf"\w+ --> \w+ : {MERMAID_LABEL}",
        r"classDef \w+ [\w:#,. -]+",
        r"class \w+ \w+",
    ),
    "dot": (
        rf"digraph {DOT_VALUE} {{",
        r"subgraph \w+ {",
        "}",
        rf"\w+(?: -> \w+)? \[\w+={DOT_VALUE}(?:, \w+={DOT_VALUE})*\]",
    ),
    "plantuml": (
        "@startuml",
        "@enduml",
        "hide empty description",
        r"skinparam [\w #]+",
        rf"(?:title|footer) {PLANTUML_LABEL}",
        "}",
        rf'state "{PLANTUML_LABEL}" as \w+ [\w#;:.]+(?: {{)?',
        rf"\w+ : {PLANTUML_LABEL}",
        r"(?:\w+|\[\*\]) --> (?:\w+|\[\*\])",
        rf"\w+ -\[[#\w,]+\]-> \w+ : {PLANTUML_LABEL}",
    ),
}


@pytest.mark.parametrize("form", READERS)
def test_hostile_texts_stay_inside_the_labels_of_well_formed_statements(form: str) -> None:
    allowed = re.compile("|".join(STATEMENTS[form]))
    lines = [line.strip() for line in text_of(hostile_graph(), form).splitlines()]
    assert [line for line in lines if not allowed.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("form", "markup"),
    [("mermaid", r"\b_|_\b|[*`$]"), ("plantuml", r"([^\w ?-])\1|__|[*~!@{}]")],
)
def test_no_markup_is_left_in_a_label(form: str, markup: str) -> None:
    graph = hostile_graph()
    labels = re.findall(r'state "(.*)" as| : (.*)', text_of(graph, form))
    bare = [re.sub(r"#\d+;|<br/>|<U\+\w+>|\\n", "?", first + second) for first, second in labels]
    assert [label for label in bare if re.search(markup, label)] == []


def test_an_unknown_format_is_a_clear_error() -> None:
    with pytest.raises(DiagramError, match="unknown format 'gif': choose from mermaid, dot") as bad:
        render(life(), "gif")
    assert isinstance(bad.value, SmsFsmError)
