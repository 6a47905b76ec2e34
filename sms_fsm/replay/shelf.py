"""The graphs that a log carries, checked and compiled as they come."""

from __future__ import annotations

from collections.abc import Mapping

from sms_fsm.errors import GraphError
from sms_fsm.graph import StateGraph, load_stored_graph
from sms_fsm.registry import Registry
from sms_fsm.replay.lines import GraphLine
from sms_fsm.replay.machine import ReplayMachine
from sms_fsm.replay.problems import LogProblem, ProblemCode


class Shelf:
    """Machines by behaviour hash.

    Args:
        registry: what the names in the graphs mean.
        candidate: the graph on which every event is replayed, in place of its own.
    """

    def __init__(self, registry: Registry, candidate: StateGraph | None = None) -> None:
        self._registry = registry
        self._lines: dict[str, GraphLine] = {}
        self._machines: dict[str, ReplayMachine] = {}
        self._candidate = None if candidate is None else self._compile(candidate)

    @property
    def exact(self) -> bool:
        """Events are replayed on the graph that they were recorded on."""
        return self._candidate is None

    @property
    def graphs(self) -> tuple[StateGraph, ...]:
        """The graphs on which events are replayed."""
        if self._candidate is not None:
            return (self._candidate.graph,)
        return tuple(machine.graph for machine in self._machines.values())

    def add(self, line: GraphLine) -> LogProblem | None:
        """Take a graph of the log in; gives what is wrong with it."""
        self._lines.setdefault(line.hash, line)
        try:
            graph = load_stored_graph(
                line.document, self._registry.names, f"<version {line.version} in the log>"
            )
        except GraphError as error:
            count = len(error.problems)
            return _problem(line, f"{count} problem(s) in the document, first: {error.problems[0]}")
        claims = (line.id, line.version, line.hash)
        if (graph.id, graph.version, graph.behaviour_hash) != claims:
            return _problem(line, "the document is not the graph that its line names")
        if line.hash not in self._machines:
            self._machines[line.hash] = self._compile(graph)
        return None

    def knows(self, behaviour_hash: str) -> bool:
        """Whether the log carries this graph, be it usable or not; or none of its own is needed."""
        return self._candidate is not None or behaviour_hash in self._lines

    def machine(self, behaviour_hash: str) -> ReplayMachine | None:
        """What events that were recorded on this graph are replayed on."""
        return self._candidate or self._machines.get(behaviour_hash)

    def renamed(self, behaviour_hash: str) -> Mapping[str, str]:
        """What the candidate calls the states of this graph, where its migration says so."""
        line = self._lines.get(behaviour_hash)
        if self._candidate is None or line is None:
            return {}
        migrations = self._candidate.graph.migrations
        fitting = (m.states for m in migrations if m.from_version == line.version)
        return next(fitting, {})

    def _compile(self, graph: StateGraph) -> ReplayMachine:
        return ReplayMachine(graph, self._registry.guards, self._registry.actions)


def _problem(line: GraphLine, reason: str) -> LogProblem:
    return LogProblem(line.line, None, None, ProblemCode.GRAPH, reason)
