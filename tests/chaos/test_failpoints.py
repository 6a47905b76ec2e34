"""Whatever befalls a process at whatever failpoint: all is there once, in order, and comes to rest.

Each test has many processes go on the same journey, each sabotaged at another place; another one
finishes what it left. A few places of each sort are tried in every run, all of them with
``SMS_FSM_CHAOS=full``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sms_fsm
from sms_fsm.failpoints import POINTS

from .sabotage import ACTS, Place, Sabotage
from .sabotaged import FULL, Journey, Stage

AT_ONCE = 6
PART = 3
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
