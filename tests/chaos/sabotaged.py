"""Journeys that are sabotaged at one place and finished by a successor, and where they happen."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from sms_fsm.simulator import Simulator

from .crew import await_that
from .journey import Cast, unfinished
from .nursery import Child, Nursery, troubles
from .sabotage import KILLED, Place, Sabotage
from .site import Site, write_hurried_graph

FULL = os.environ.get("SMS_FSM_CHAOS") == "full"
END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the journeys of one test take place."""

    simulator: Simulator
    nursery: Nursery
    site: Site
    server: str | None
    make_store: Callable[[Path], AbstractContextManager[str]]


class Journey:
    """One journey, sabotaged at one place."""

    def __init__(self, stage: Stage, number: int, url: str, folder: Path) -> None:
        write_hurried_graph(folder)
        self._stage = stage
        self._board_place = number % 32
        self._site = replace(stage.site, folder=str(folder), database_url=url, seed=number)
        self.cast = Cast(self._site)

    @property
    def killed(self) -> bool:
        """Whether it came to the place where its process was to be killed."""
        return (self._site.path / KILLED).exists()

    def problems(self, sabotage: Sabotage) -> Iterator[str]:
        """What is wrong after the sabotaged process and the one that follows it."""
        first = self._start(sabotage)
        if not await_that(lambda: first.stopped or not first.alive, END_SECONDS):
            yield "it goes on for ever"
        second = self._start()
        if first.stopped:
            time.sleep(2 * self._site.lease_seconds)
            first.send(signal.SIGCONT)
        if not await_that(lambda: not first.alive and not second.alive, END_SECONDS):
            yield "its successor goes on for ever"
        yield from self._wrong()
        yield from (t for t in troubles(self._site.path) if "sabotage" not in t)

    def _start(self, sabotage: Sabotage | None = None) -> Child:
        return self._stage.nursery.start(
            "traveller", self._board_place, site=self._site, sabotage=sabotage
        )

    def _wrong(self) -> Iterator[str]:
        simulator = self._stage.simulator
        for customer, texts in self.cast.expected.items():
            ids = simulator.conversations_of(customer)
            found = [m["content"]["text"] for one in ids for m in simulator.messages(one)]
            if len(ids) != 1:
                yield f"{len(ids)} conversations"
            if found != texts:
                yield f"{found}, not {texts}"
        if unfinished(self._site):
            yield "something is left to do"

    def places(self) -> list[Place]:
        """Every failpoint that an undisturbed journey passes, in order."""
        noting = self._site.path / "passed"
        child = self._stage.nursery.start("scout", self._board_place, site=self._site)
        assert await_that(lambda: not child.alive, END_SECONDS)
        assert list(self._wrong()) == []
        passed: Counter[tuple[str, str]] = Counter()
        places = []
        for line in noting.read_text().splitlines():
            point, subject = json.loads(line)
            passed[point, subject] += 1
            places.append(Place(point, subject, passed[point, subject]))
        return places
