"""Loads a graph document in two stages and reports everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from sms_fsm.errors import GraphError, Problem
from sms_fsm.graph.checks import check_graph
from sms_fsm.graph.codes import Code
from sms_fsm.graph.findings import Findings
from sms_fsm.graph.model import Mark, StateGraph
from sms_fsm.graph.names import Names
from sms_fsm.graph.resolution import Resolver
from sms_fsm.graph.shape import read_draft
from sms_fsm.graph.versions import behaviour_hash
from sms_fsm.graph.yaml_tree import MAX_BYTES, place, read_tree, too_large

_DEFAULT = "states.yaml"
_HERE = Path(__file__)


def load_graph_file(path: Path, names: Names) -> StateGraph:
    """The graph of a UTF-8 file.

    Raises:
        GraphError: the file cannot be read or its graph must not be used; it lists every error.
    """
    return _load(path, names, str(path))


def load_graph_text(text: str, names: Names, file: str = "<graph>") -> StateGraph:
    """The graph of a document; ``file`` is what problems call it.

    Raises:
        GraphError: the graph must not be used; it lists every error, in the document's order.
    """
    return _load(text, names, file)


def load_stored_graph(text: str, names: Names, file: str) -> StateGraph:
    """The graph of a document that an earlier release accepted and that conversations run on.

    Events that the engine learned since may be missing from it: a new release strands nobody.

    Raises:
        GraphError: the graph cannot be used any more, since names are gone that it refers to.
    """
    return _load(text, names, file, forgiven=(Code.UNDECLARED_EVENT,))


def check_file(path: Path, names: Names) -> tuple[Problem, ...]:
    """Every error and warning of a file's graph, in the document's order."""
    return _examine(path, names, str(path))[1]


def check_text(text: str, names: Names, file: str = "<graph>") -> tuple[Problem, ...]:
    """Every error and warning of a document, in its order."""
    return _examine(text, names, file)[1]


def default_graph(names: Names) -> StateGraph:
    """The graph that comes with the package.

    Raises:
        GraphError: ``names`` lacks something that the graph refers to.
    """
    return load_graph_text(default_graph_text(), names, _DEFAULT)


def default_graph_text() -> str:
    """The document of the graph that comes with the package.

    A wheel carries it inside the package; in a checkout it lies beside the package.
    """
    packaged = files("sms_fsm") / _DEFAULT
    source = packaged if packaged.is_file() else _HERE.parents[2] / _DEFAULT
    return source.read_text(encoding="utf-8")


def _load(
    source: str | Path, names: Names, file: str, forgiven: Collection[str] = ()
) -> StateGraph:
    graph, problems = _examine(source, names, file)
    errors = [p for p in problems if p.severity == "error" and p.code not in forgiven]
    if errors or graph is None:
        raise GraphError(errors)
    return replace(graph, behaviour_hash=behaviour_hash(graph))


def _examine(
    source: str | Path, names: Names, file: str
) -> tuple[StateGraph | None, tuple[Problem, ...]]:
    findings, graph = Findings(), None
    try:
        text = _read(source) if isinstance(source, Path) else source
        draft = read_draft(read_tree(text, findings), findings)
        resolver = Resolver(draft, names, findings)
        graph = resolver.graph(text, file)
        findings.extend(check_graph(graph, names, is_whole=resolver.is_whole))
    except GraphError as error:
        findings.extend(error.problems)
    return graph, findings.in_order(file)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no path"
        problem = Code.UNREADABLE_FILE.at(Mark(), f"cannot be read: {reason}")
        raise GraphError([problem]) from None
    return _decoded(data)


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise too_large()
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode()
        problem = Code.NOT_UTF8.at(place(good, len(good)), "this is not UTF-8")
        raise GraphError([problem]) from None
