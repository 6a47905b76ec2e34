"""One compiled machine for each graph version that a conversation runs on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sms_fsm.conversation import Conversation
from sms_fsm.errors import GraphError, Problem
from sms_fsm.graph import StateGraph, load_stored_graph
from sms_fsm.machine import Machine
from sms_fsm.registry import Registry

FindDocument = Callable[[str], tuple[int, str] | None]


class Machines:
    """Compiles each graph once, when it is first needed.

    Args:
        graph: the version that new conversations run on.
        registry: what its names mean.
        find: gives version and document of an older graph by its behaviour hash.
    """

    def __init__(self, graph: StateGraph, registry: Registry, find: FindDocument) -> None:
        self.current = Machine(graph, registry.guards, registry.actions)
        self._registry = registry
        self._find = find
        self._compiled = {graph.behaviour_hash: self.current}
        self._compiling = threading.Lock()

    def of(self, conversation: Conversation) -> Machine:
        """The machine of the version that this conversation is pinned to.

        Raises:
            GraphError: the store does not know that version, or its names are gone.
        """
        return self.with_hash(conversation.graph_hash)

    def with_hash(self, behaviour_hash: str) -> Machine:
        """The machine of the graph with this behaviour.

        Raises:
            GraphError: as `of` does.
        """
        return self._compiled.get(behaviour_hash) or self._compile(behaviour_hash)

    def _compile(self, behaviour_hash: str) -> Machine:
        with self._compiling:
            if behaviour_hash not in self._compiled:
                graph = self._load(behaviour_hash)
                machine = Machine(graph, self._registry.guards, self._registry.actions)
                self._compiled[behaviour_hash] = machine
            return self._compiled[behaviour_hash]

    def _load(self, behaviour_hash: str) -> StateGraph:
        document = self._find(behaviour_hash)
        if document is None:
            reason = f"no graph with behaviour hash {behaviour_hash[:12]} is in the store"
            raise GraphError([Problem("unknown-version", reason)])
        version, text = document
        return load_stored_graph(text, self._registry.names, file=f"<stored version {version}>")
