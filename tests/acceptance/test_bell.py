"""Idle workers are woken by what comes in; they look now and then all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from world import World

from sms_fsm import Engine
from sms_fsm.simulator import Fault

_NEVER = 3600.0
"""Seconds between two looks: a worker that must look is late."""
_IN_TIME = 20.0

_LISTENERS = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
)


@contextmanager
def _working(engine: Engine, *, poll_interval: float) -> Iterator[None]:
    stop = threading.Event()
    worker = threading.Thread(
        target=engine.work, args=(stop,), kwargs={"poll_interval": poll_interval}
    )
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join(_IN_TIME)
        assert not worker.is_alive(), "the worker sleeps on"


def _comes_true(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + _IN_TIME
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def _is_posted(world: World, identity: str, *texts: str) -> bool:
    return _comes_true(
        lambda: (
            world.conversation(identity).conversation_id is not None
            and world.posted(identity) == [*texts]
        )
    )


def test_an_idle_worker_takes_up_at_once_what_its_own_engine_takes_in(world: World) -> None:
    with _working(world.engine, poll_interval=_NEVER):
        identity = str(world.text("one").conversation)
        assert _is_posted(world, identity, "one")

        world.text("two")
        assert _is_posted(world, identity, "one", "two")


def test_an_idle_worker_is_woken_by_a_retry(world: World) -> None:
    identity = str(world.text("one").conversation)
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.engine.drain()
    (dead,) = world.engine.dead_letters()

    with _working(world.engine, poll_interval=_NEVER):
        world.engine.retry(dead.id)
        assert _is_posted(world, identity, "one")


_between_processes = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


def _listeners(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [pid for (pid,) in connection.execute(_LISTENERS)]


@_between_processes
def test_an_idle_worker_takes_up_at_once_what_another_process_takes_in(
    database_url: str, world: World
) -> None:
    with world.another_engine() as worker, _working(worker, poll_interval=_NEVER):
        assert _comes_true(lambda: len(_listeners(database_url)) == 1)

        # One may come while the worker is about to rest, and be found without a ring.
        sent: list[str] = []
        for word in ("one", "two", "three", "four", "five"):
            identity = str(world.text(word).conversation)
            sent.append(word)
            assert _is_posted(world, identity, *sent)


@_between_processes
def test_a_worker_that_cannot_listen_looks_for_work_and_listens_again(
    database_url: str, world: World
) -> None:
    with world.another_engine() as worker, _working(worker, poll_interval=0.05):
        assert _comes_true(lambda: len(_listeners(database_url)) == 1)
        (deaf,) = _listeners(database_url)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (deaf,))

        identity = str(world.text("one").conversation)
        assert _is_posted(world, identity, "one")
        assert _comes_true(lambda: len(_listeners(database_url)) == 1)
        assert _listeners(database_url) != [deaf]


@_between_processes
def test_a_worker_that_stops_leaves_no_connection_that_listens(
    database_url: str, world: World
) -> None:
    with _working(world.engine, poll_interval=_NEVER):
        assert _comes_true(lambda: len(_listeners(database_url)) == 1)

    assert _comes_true(lambda: _listeners(database_url) == [])
