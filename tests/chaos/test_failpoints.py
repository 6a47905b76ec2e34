"""Whatever befalls a process at whatever failpoint: all is there once, in order, and comes to rest.

Each test has many processes go on the same journey, each sabotaged at another place; another one
finishes what it left. A few places of each sort are tried in every run, all of them with
``SMS_FSM_CHAOS=full``.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from postgres import PostgresServer

import sms_fsm
from sms_fsm.failpoints import POINTS
from sms_fsm.simulator import Simulator
from sms_fsm.store import open_database, upgrade

from .crew import await_that
from .journey import Cast, unfinished
from .nursery import Child, Nursery, troubles
from .sabotage import ACTS, Place, Sabotage
from .site import Site, write_hurried_graph

FULL = os.environ.get("SMS_FSM_CHAOS") == "full"
AT_ONCE = 6
PART = 3
END_SECONDS = 60.0
PACKAGE = Path(sms_fsm.__file__).parent

# Who commits and who calls, with the failpoints that stand around it

TRANSACTIONS = {
    ("store/connections.py", "transaction"): (),  # what the last two are made of
    ("store/driver.py", "__exit__"): (),  # how it ends on the hot path
    ("store/database.py", "_write_once"): ("commit.after", "commit.before"),
    ("store/database.py", "_read_once"): (),  # commits nothing
}
CALLS = {
    ("cxone/transport.py", "send"): ("call.after", "call.before"),
    ("cxone/transport.py", "_exchanged"): ("call.answered",),
    ("cxone/client.py", "_sent"): (),  # by way of the transport's send, as the next one
    ("cxone/issuer.py", "_granted"): (),
    ("cxone/wire.py", "send"): (),  # what the transport's session ends in
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the journeys of one test take place."""

    simulator: Simulator
    nursery: Nursery
    site: Site
    server: str | None
    make_store: Callable[[Path], AbstractContextManager[str]]


@pytest.fixture(params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    simulator = Simulator(ledger_path=tmp_path / "ledger")
    server: PostgresServer | None = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
    with simulator.serve() as url:
        site = Site(
            folder=str(tmp_path),
            database_url="",
            cxone_url=url,
            webhook_secret="whsec_" + "c2VjcmV0" * 4,
            token_key=Fernet.generate_key().decode(),
            threads=2,
            conversations=0,
            seed=0,
            lease_seconds=1.0,
            settle_seconds=1.0,
            call_seconds=0.7,
        )
        with Nursery(site) as nursery:
            yield Stage(
                simulator,
                nursery,
                site,
                server.url if server else None,
                _postgres(request, server) if server else _sqlite,
            )


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    url = f"sqlite:///{folder}/store.db"
    database = open_database(url)
    upgrade(database)
    database.close()
    yield url


def _postgres(
    request: pytest.FixtureRequest, server: PostgresServer
) -> Callable[[Path], AbstractContextManager[str]]:
    template: str = request.getfixturevalue("migrated_postgres")
    return lambda _: server.database(like=template)


class Journey:
    """One journey, sabotaged at one place."""

    def __init__(self, stage: Stage, number: int, url: str, folder: Path) -> None:
        write_hurried_graph(folder)
        self._stage = stage
        self._board_place = number % 32
        self._site = replace(stage.site, folder=str(folder), database_url=url, seed=number)

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
        for customer, texts in Cast(self._site).expected.items():
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


def _journeys(stage: Stage) -> Callable[[tuple[int, Sabotage]], list[str]]:
    def travel(numbered: tuple[int, Sabotage]) -> list[str]:
        number, sabotage = numbered
        folder = stage.site.path / str(number)
        folder.mkdir()
        with stage.make_store(folder) as url:
            found = list(Journey(stage, number, url, folder).problems(sabotage))
        return [f"{sabotage.act} at {sabotage.place}: {problem}" for problem in found]

    return travel


def _tried(places: Sequence[Place], act: str) -> Sequence[Place]:
    """All of them; or the first of each call and every fifth commit, of most acts a part of it."""
    if FULL:
        return places
    calls = [place for place in places if place.subject and place.nth == 1]
    some = [*calls, *[place for place in places if not place.subject][::5]]
    return some if act == "exit" else some[list(ACTS).index(act) % PART :: PART]


@pytest.mark.timeout(3600 if FULL else 300)
@pytest.mark.parametrize("act", list(ACTS))
def test_a_journey_survives_sabotage_at_every_place(stage: Stage, act: str) -> None:
    folder = stage.site.path / "undisturbed"
    folder.mkdir()
    with stage.make_store(folder) as url:
        places = Journey(stage, 0, url, folder).places()
    assert {place.point for place in places} == set(POINTS)
    acts = [Sabotage(place, act, stage.server) for place in _tried(places, act)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [p for problems in pool.map(_journeys(stage), enumerate(acts, 1)) for p in problems]
    assert found == []
    assert stage.simulator.judge().violations == ()


# Statically: no commit and no call without its failpoints


def _functions(folder: str, called: set[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The functions below a folder that call one of these, with the failpoints they reach."""
    found = {}
    for path in (PACKAGE / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                calls = list(_calls(node))
                reached = tuple(sorted(str(first) for name, first in calls if name == "reach"))
                if reached or called & {name for name, _ in calls}:
                    found[path.relative_to(PACKAGE).as_posix(), node.name] = reached
    return found


def _calls(function: ast.AST) -> Iterator[tuple[str, object]]:
    """What is called by a name or as a method, with its first argument where that is constant."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            first = node.args[0] if node.args else None
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield name, first.value if isinstance(first, ast.Constant) else None


def test_each_commit_stands_between_its_failpoints() -> None:
    assert _functions("store", {"begin", "commit", "transaction"}) == TRANSACTIONS


def test_each_call_stands_between_its_failpoints() -> None:
    assert _functions("cxone", {"send", "urlopen"}) == CALLS
