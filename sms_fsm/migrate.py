"""Moves live conversations to a new version of their graph, while everybody goes on working.

Each move is a logged event, written in short transactions. A conversation that moved runs on
another graph, so whoever runs this again after a crash finds only those that did not: none moves
twice, none is forgotten.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sms_fsm import events
from sms_fsm.clock import Clock
from sms_fsm.conversation import Conversation
from sms_fsm.crossing import cross
from sms_fsm.errors import GraphError, Problem
from sms_fsm.graph import StateGraph, check_migration, check_version
from sms_fsm.machines import Machines
from sms_fsm.ports import Census, Store, UnitOfWork

OnProgress = Callable[[int, int], None]
"""Hears how many conversations have moved, and of how many."""

_Place = tuple[str, str]

_PAGE = 100
_MOST_ROUNDS = 10
_START: _Place = ("", "")


@dataclass(frozen=True, slots=True)
class Leg:
    """Live conversations of one older graph, and where they go.

    Args:
        old: the graph that they run on.
        states: what each of its states becomes.
        live: how many conversations are in each state that has any.
    """

    old: StateGraph
    states: Mapping[str, str]
    live: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many conversations there are to move."""
        return sum(self.live.values())


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration came to.

    Args:
        moved: conversations that this run moved.
        left: those that run on an older version still: some engine goes on beginning new ones.
    """

    moved: int
    left: int


class Migrator:
    """Moves everybody to the graph that new conversations run on."""

    def __init__(self, store: Store, census: Census, machines: Machines, clock: Clock) -> None:
        self._store = store
        self._census = census
        self._machines = machines
        self._clock = clock
        self._new = machines.current.graph

    def plan(self) -> tuple[Leg, ...]:
        """What there is to move; changes nothing.

        Raises:
            GraphError: why conversations cannot move, all reasons at once.
        """
        problems = list(self._reused_version())
        legs = []
        for behaviour_hash, versions in self._older().items():
            live = dict(self._census.live(behaviour_hash))
            try:
                legs += [self._leg(behaviour_hash, versions, live)] if live else []
            except GraphError as error:
                problems += error.problems
        if problems:
            raise GraphError(problems)
        return tuple(legs)

    def run(self, on_progress: OnProgress | None = None) -> Migrated:
        """Move all of them, page by page.

        Raises:
            GraphError: as `plan` does; nothing was moved.
            StoreUnavailable: some were moved; run it again for the others.
        """
        legs = self.plan()
        self._store.register_graph(self._new, self._clock())
        total, moved = sum(leg.count for leg in legs), 0
        for leg in legs:
            for count in self._moves(leg):
                moved += count
                if count and on_progress is not None:
                    on_progress(moved, max(moved, total))
        left = (n for leg in legs for _, n in self._census.live(leg.old.behaviour_hash))
        return Migrated(moved, sum(left))

    # What there is to move

    def _reused_version(self) -> Iterator[Problem]:
        for identity, version, behaviour_hash, _ in self._census.graphs():
            if (identity, version) == (self._new.id, self._new.version):
                yield from check_version(self._new, behaviour_hash)

    def _older(self) -> Mapping[str, Sequence[int]]:
        """Versions by behaviour: to go back, an old behaviour is published as a new version."""
        versions: dict[str, list[int]] = defaultdict(list)
        for identity, version, behaviour_hash, _ in self._census.graphs():
            if identity == self._new.id and behaviour_hash != self._new.behaviour_hash:
                versions[behaviour_hash].append(version)
        return versions

    def _leg(self, behaviour_hash: str, versions: Sequence[int], live: Mapping[str, int]) -> Leg:
        """Versions of one behaviour have the same states: a map of one of them is enough."""
        graph = self._machines.with_hash(behaviour_hash).graph
        fitting = [m for m in self._new.migrations if m.from_version in versions]
        old = replace(graph, version=fitting[0].from_version if fitting else max(versions))
        problems = check_migration(old, self._new)
        if problems:
            raise GraphError(problems)
        return Leg(old, fitting[0].states, live)

    # Moving

    def _moves(self, leg: Leg) -> Iterator[int]:
        """Whole pages of those that are idle, then one by one those that were busy or came late."""
        yield from self._sweep(leg, size=_PAGE, wait=False)
        for _ in range(_MOST_ROUNDS):
            late = 0
            for count in self._sweep(leg, size=1, wait=True):
                late += count
                yield count
            if not late:
                return

    def _sweep(self, leg: Leg, *, size: int, wait: bool) -> Iterator[int]:
        after: _Place | None = _START
        while after is not None:
            page = partial(self._page, leg=leg, after=after, size=size, wait=wait)
            began = time.monotonic()
            moved, after = self._store.write(page)
            # SQLite has one writer: everybody else gets as much of the time as this.
            time.sleep(time.monotonic() - began)
            yield moved

    def _page(
        self, uow: UnitOfWork, *, leg: Leg, after: _Place, size: int, wait: bool
    ) -> tuple[int, _Place | None]:
        page = uow.pinned(leg.old.behaviour_hash, after, size, wait=wait)
        moved = sum(self._move(uow, leg, conversation) for conversation in page.conversations)
        return moved, page.end

    def _move(self, uow: UnitOfWork, leg: Leg, conversation: Conversation) -> bool:
        if conversation.graph_hash != leg.old.behaviour_hash:
            return False  # the same transaction, which may be shared, has moved it
        event = events.conversation_migrated(
            self._clock(),
            from_version=conversation.graph_version,
            from_hash=conversation.graph_hash,
            to_version=self._new.version,
            to_hash=self._new.behaviour_hash,
            states=leg.states,
        )
        uow.append(cross(conversation, event, leg.old, self._new))
        return True
