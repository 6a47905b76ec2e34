"""Whatever the text, reading it gives problems or a graph, never anything else."""

import re
import string
from typing import Any

import yaml
from graph_documents import SMALL, SMALL_NAMES
from hypothesis import given
from hypothesis import strategies as st

from sms_fsm.errors import GraphError
from sms_fsm.graph import StateGraph, check_text, load_graph_text
from sms_fsm.graph.shape import KEYS

WORDS = (
    *sorted({key for keys in KEYS.values() for key in keys.known}),
    *sorted(set(re.findall(r"\w+", SMALL))),
    *("is_green", "null", "~", "any", "any but a", "any but", "os.system", "60s", "-1", "", "é"),
    *("{", "&a", "*a", "!b", "<<"),
)
words = st.sampled_from(WORDS) | st.text(string.printable, max_size=8)
values = words | st.integers() | st.floats() | st.booleans() | st.none()
structures = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=6),
    max_leaves=40,
)
yamlish = st.lists(
    st.sampled_from([*WORDS, ": ", "- ", "\n", "  ", "[", "]", "{", "}", ", ", "#", "|", ">", "'"])
    | st.text(max_size=3),
    max_size=60,
).map("".join)


def outcome(text: str) -> StateGraph | GraphError:
    try:
        return load_graph_text(text, SMALL_NAMES)
    except GraphError as error:
        return error


def assert_sound(text: str) -> None:
    problems = check_text(text, SMALL_NAMES)
    errors = tuple(problem for problem in problems if problem.severity == "error")
    places = [(problem.line, problem.column) for problem in problems]
    assert places == sorted(places)
    assert all("\n" not in problem.message for problem in problems)
    result = outcome(text)
    if isinstance(result, GraphError):
        assert result.problems == errors
        assert errors
    else:
        assert not errors
        assert result.states[result.initial].initial


@given(st.text())
def test_random_text_is_refused_in_an_orderly_way(text: str) -> None:
    assert_sound(text)


@given(yamlish)
def test_scraps_of_yaml_are_refused_in_an_orderly_way(text: str) -> None:
    assert_sound(text)


@given(structures)
def test_any_structure_is_judged(structure: Any) -> None:
    assert_sound(yaml.safe_dump(structure, allow_unicode=True))


@given(st.data())
def test_a_good_document_with_any_part_replaced_is_judged(data: st.DataObject) -> None:
    document = yaml.safe_load(SMALL.replace("on:", "'on':"))
    node: Any = document
    path: list[tuple[Any, Any]] = []
    while isinstance(node, dict | list) and node and (not path or data.draw(st.booleans())):
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        path.append((node, data.draw(st.sampled_from(list(keys)))))
        node = path[-1][0][path[-1][1]]
    parent, key = path[-1]
    parent[key] = data.draw(structures)
    assert_sound(yaml.safe_dump(document))


@given(st.integers(0, len(SMALL)), st.integers(0, 30), words)
def test_a_good_document_with_any_piece_cut_out_is_judged(at: int, cut: int, new: str) -> None:
    assert_sound(SMALL[:at] + new + SMALL[at + cut :])
