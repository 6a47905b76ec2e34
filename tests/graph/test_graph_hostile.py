"""Hostile documents are refused at once, at a place, and without a foreign exception."""

import gc
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from graph_documents import SMALL, SMALL_NAMES, small
from hostile_documents import hostile_documents

from sms_fsm.errors import GraphError, Problem
from sms_fsm.graph import check_file, check_text, load_graph_text
from sms_fsm.graph.yaml_tree import MAX_NODES

DOCUMENTS = dict(hostile_documents())
MOST_BYTES = 10_000_000
# A good document that nearly fills the limits, for comparison.
LARGE = SMALL + "".join(
    f"  - {{id: r{n}, from: a, on: Tick, when: [is_green, is_round], do: [call, rest]}}\n"
    for n in range(700)
)


def problems_of(document: str | bytes, folder: Path) -> tuple[Problem, ...]:
    if isinstance(document, str):
        return check_text(document, SMALL_NAMES)
    path = folder / "hostile.yaml"
    path.write_bytes(document)
    return check_file(path, SMALL_NAMES)


def seconds(document: str | bytes, folder: Path) -> float:
    """Of the CPU, with no collection of what other tests left behind."""
    gc.disable()
    try:
        start = time.process_time()
        problems_of(document, folder)
        return time.process_time() - start
    finally:
        gc.enable()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_is_refused_at_a_place_that_it_has(name: str, tmp_path: Path) -> None:
    document = DOCUMENTS[name]
    problems = problems_of(document, tmp_path)
    assert "error" in {problem.severity for problem in problems}
    length = len(document)
    for problem in problems:
        assert 1 <= problem.line <= length + 1
        assert 1 <= problem.column <= length + 1
        assert len(problem.message) < 400
        assert problem.message.isprintable()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_costs_little_memory(name: str, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        problems_of(DOCUMENTS[name], tmp_path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_there_are_a_hundred_of_them_and_no_two_are_the_same() -> None:
    assert len(DOCUMENTS) >= 100
    assert len(set(DOCUMENTS.values())) == len(list(hostile_documents()))


def test_no_hostile_document_takes_much_longer_than_a_good_one_of_the_largest_size(
    tmp_path: Path,
) -> None:
    most = 3 * max(seconds(LARGE, tmp_path) for _ in range(3))
    for name, document in DOCUMENTS.items():
        assert min(seconds(document, tmp_path) for _ in range(2)) < most, name


def test_reading_stops_at_the_first_node_too_many() -> None:
    """What stands behind the limit is not even looked at, so it cannot cost anything."""
    with pytest.raises(GraphError) as caught:
        load_graph_text("[" + "a,\n" * MAX_NODES + "}", SMALL_NAMES)
    assert (caught.value.code, caught.value.line) == ("G005", MAX_NODES)


def test_a_name_with_a_dot_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "canary.py").write_text("def sing(event): ...\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GraphError, match="G107"):
        load_graph_text(small("do: call", "do: canary.sing"), SMALL_NAMES)
    assert "canary" not in sys.modules
