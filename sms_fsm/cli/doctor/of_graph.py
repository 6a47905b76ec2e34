"""The state graph: does it load, and does the store know its version as something else?"""

from __future__ import annotations

from collections.abc import Iterator

from sms_fsm.cli.doctor.finding import Finding, fine, warning, wrong
from sms_fsm.config import Settings
from sms_fsm.engine import load_graph
from sms_fsm.errors import GraphError
from sms_fsm.graph import StateGraph
from sms_fsm.registry import Registry
from sms_fsm.store import Queries


def graph_findings(settings: Settings, queries: Queries | None) -> Iterator[Finding]:
    """What is wrong with the graph, or how it goes together with the store."""
    try:
        graph = load_graph(settings, Registry())
    except GraphError as error:
        for problem in error.problems:
            yield wrong("graph", str(problem), "mend that line; `sms-fsm check` says when it is")
        return
    yield fine("graph", f"{graph.file} loads: {graph.id} version {graph.version}")
    if queries is not None:
        yield _in_store(graph, queries)


def _in_store(graph: StateGraph, queries: Queries) -> Finding:
    known = {version: hash_ for id_, version, hash_, _ in queries.graphs() if id_ == graph.id}
    found = known.get(graph.version)
    newest = max(known, default=graph.version)
    if found is not None and found != graph.behaviour_hash:
        said = f"version {graph.version} is in the store with another behaviour"
        return wrong("graph version", said, "raise `version` in the graph")
    if newest > graph.version:
        said = f"the store knows version {newest}, this is {graph.version}"
        return warning("graph version", said, "deploy the newer graph, or mean it")
    if found is None:
        return fine("graph version", "new to the store: the next worker registers it")
    return fine("graph version", "the store knows it")
