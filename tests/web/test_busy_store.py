"""A store that is locked, full or away: 503 within two seconds, never a 200 without a row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from world import World

from .locking import locked
from .serving import Client, text

_SENDER_WAITS_SECONDS = 2.0


def _timed(send: Callable[[], int]) -> tuple[int, float]:
    began = time.monotonic()
    return send(), time.monotonic() - began


def _storm(service: Client, name: str, copies: int) -> list[tuple[int, float]]:
    clients = [Client(service.url) for _ in range(copies)]

    def send(number: int) -> tuple[int, float]:
        return _timed(lambda: clients[number].send(text(f"{name}-{number}")).status_code)

    with ThreadPoolExecutor(copies) as pool:
        return list(pool.map(send, range(copies)))


def test_a_locked_store_is_503_within_two_seconds(
    service: Client, world: World, database_url: str
) -> None:
    with locked(database_url):
        answers = _storm(service, "m", 24)
    assert {code for code, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < _SENDER_WAITS_SECONDS


def test_what_was_refused_is_stored_when_it_is_sent_again(
    service: Client, world: World, database_url: str
) -> None:
    with locked(database_url):
        assert service.send(text("m-1")).status_code == 503
    again = service.send(text("m-1"))
    assert again.status_code == 200
    identity = again.json()["results"][0]["conversation"]
    assert [m.key for m in world.conversation(identity).messages] == ["m-1"]


def test_an_array_on_a_locked_store_stores_nothing(
    service: Client, world: World, database_url: str
) -> None:
    with locked(database_url):
        answer = service.send(*(text(f"m-{n}") for n in range(20)))
    assert answer.status_code == 503
    assert world.engine.conversations() == []


def test_every_200_has_its_row_while_locks_come_and_go(
    service: Client, world: World, database_url: str
) -> None:
    answers: Counter[int] = Counter()
    for round_ in range(3):
        with locked(database_url):
            answers.update(code for code, _ in _storm(service, f"locked-{round_}", 5))
        answers.update(code for code, _ in _storm(service, f"free-{round_}", 5))
    (conversation,) = world.engine.conversations()
    assert answers[200] + answers[503] == 30
    assert answers[200] <= len(world.conversation(conversation.id).messages)


def test_a_service_whose_store_is_locked_lives_but_is_not_ready(
    service: Client, world: World, database_url: str
) -> None:
    identity = world.opened()
    with locked(database_url):
        ready = service.get("/readyz")
        alive = service.get("/livez")
    assert ready.status_code == 503
    assert "store" in ready.json()["wrong"]
    assert alive.status_code == 200
    assert service.get("/readyz").status_code == 200
    assert world.state(identity) == "routed"
