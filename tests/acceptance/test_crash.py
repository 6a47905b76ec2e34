"""CONTRACT §5.2 and §5.3: a worker that vanishes at any point loses nothing and repeats nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from journeys import conversations_of, number, pass_time, remote, texts
from world import CUSTOMER, QUEUE, World

from sms_fsm import DeliveryStatus, Engine, FailedMessage
from sms_fsm.cxone import CXoneClient
from sms_fsm.dispatch import Dispatcher
from sms_fsm.recorder import Recorder
from sms_fsm.simulator import Fault

LEASE_SECONDS = 0.7
METHODS = {
    "findConversations": "find_conversations",
    "createConversation": "create_conversation",
    "getConversation": "get_conversation",
    "updateConversation": "reactivate",
    "updateRouting": "update_routing",
    "postMessage": "post_message",
    "listMessages": "list_messages",
    "listDeliveryStatus": "delivery_statuses",
}
OPENING = ("findConversations", "createConversation")


class Vanished(BaseException):
    """The process is gone; nothing catches this."""


class Crashes:
    """Has workers vanish, each once, around one operation on one subject."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._wanted: dict[tuple[str, str], str] = {}
        for operation, method in METHODS.items():
            monkeypatch.setattr(CXoneClient, method, self._around(operation, method))

    def at(self, operation: str, subject: str, when: str) -> None:
        """``subject`` is a customer for the two operations of opening, else a conversation."""
        self._wanted[operation, subject] = when

    @property
    def left(self) -> dict[tuple[str, str], str]:
        return self._wanted

    def _around(self, operation: str, method: str) -> Callable[..., Any]:
        real = getattr(CXoneClient, method)

        def call(client: CXoneClient, subject: Any, *rest: Any, **options: Any) -> Any:
            name = getattr(subject, "customer", subject)
            when = self._wanted.pop((operation, name), None)
            if when == "before":
                raise Vanished
            answer = real(client, subject, *rest, **options)
            if when == "after":
                raise Vanished
            return answer

        return call


@pytest.fixture
def crashes(monkeypatch: pytest.MonkeyPatch) -> Crashes:
    return Crashes(monkeypatch)


@pytest.fixture
def brief(make_world: Callable[..., World]) -> World:
    """A world in which a worker that vanished is missed soon."""
    return make_world(lease_seconds=LEASE_SECONDS)


def _drain_through_crashes(world: World) -> int:
    """A new process after each that vanished; gives how many did."""
    vanished = 0
    while True:
        try:
            world.engine.drain()
        except Vanished:
            vanished += 1
            world.restart()
        else:
            return vanished


def _go_on(world: World, *, times: int) -> None:
    """Let due times come by the clock, and leases of those that vanished run out in real time."""
    for _ in range(times):
        while _drain_through_crashes(world):
            time.sleep(LEASE_SECONDS * 1.2)
        world.clock.forward(seconds=61)


def test_a_worker_that_vanishes_while_opening_loses_and_doubles_nothing(
    brief: World, crashes: Crashes
) -> None:
    points = [(operation, when) for operation in OPENING for when in ("before", "after")]
    for n, (operation, when) in enumerate(points):
        crashes.at(operation, number(n), when)
        brief.text("one", from_=number(n))
    _go_on(brief, times=5)
    assert crashes.left == {}
    for n, point in enumerate(points):
        (conversation,) = conversations_of(brief.simulator, number(n))
        posted = texts(brief.simulator, conversation["conversationId"])
        assert (point, posted) == (point, ["one"])
        assert conversation["routing"]["queue_id"] == QUEUE
    assert brief.engine.dead_letters() == []
    assert brief.simulator.judge().ok


def _met_by(world: World, n: int, crashes: Crashes, operation: str, when: str) -> str:
    """A conversation that goes through all operations, one of them by a worker that vanishes."""
    found = world.engine.find(customer=number(n))
    assert found is not None
    there = remote(world, found.id)
    crashes.at(operation, there, when)
    if operation == "listMessages":
        world.simulator.fault(Fault("postMessage", "reset", containing=there))
    world.simulator.archive(there)
    world.engine.reply(found.id, "two", key="k-2")
    world.engine.transfer(found.id, key="k-3", queue_id="queue_billing")
    world.text("three", from_=number(n))
    return found.id


def test_a_worker_that_vanishes_in_an_open_conversation_loses_and_doubles_nothing(
    brief: World, crashes: Crashes
) -> None:
    points = [
        (operation, when)
        for operation in METHODS
        for when in ("before", "after")
        if operation not in OPENING
    ]
    for n, _ in enumerate(points):
        brief.simulator.open_conversation(number(n), routing={"queue_id": QUEUE})
        brief.text("one", from_=number(n))
    # On a slow machine so brief a lease may leave no time for a call: then it goes again later.
    _go_on(brief, times=3)
    identities = {point: _met_by(brief, n, crashes, *point) for n, point in enumerate(points)}
    _go_on(brief, times=10)
    assert crashes.left == {}
    for n, (point, identity) in enumerate(identities.items()):
        assert (point, brief.posted(identity)) == (point, ["one", "two", "three"])
        (conversation,) = conversations_of(brief.simulator, number(n))
        assert (point, conversation["routing"]["queue_id"]) == (point, "queue_billing")
    assert brief.engine.dead_letters() == []
    assert brief.simulator.judge().ok


@pytest.mark.parametrize(
    "effect", ["OpenConversation", "ReactivateConversation", "PostMessage", "UpdateRouting"]
)
def test_a_worker_that_vanishes_while_recording_writes_nothing_and_repeats_nothing(
    brief: World, monkeypatch: pytest.MonkeyPatch, effect: str
) -> None:
    identity = brief.opened("one") if effect != "OpenConversation" else ""
    vanish = iter([True])
    record = Dispatcher._record

    def crash(dispatcher: Dispatcher, uow: Any, taken: Any, outcome: Any) -> None:
        record(dispatcher, uow, taken, outcome)
        if taken.name == effect and next(vanish, False):
            raise Vanished

    monkeypatch.setattr(Dispatcher, "_record", crash)
    if effect == "ReactivateConversation":
        brief.simulator.archive(remote(brief, identity))
    identity = str(brief.text("two").conversation)
    brief.engine.transfer(identity, key="k", queue_id="queue_billing")
    _go_on(brief, times=5)
    assert next(vanish, None) is None
    wanted = ["two"] if effect == "OpenConversation" else ["one", "two"]
    assert brief.posted(identity) == wanted
    assert brief.conversation(identity).routing.queue_id == "queue_billing"
    assert brief.events(identity).count("MessagePosted") == len(wanted)
    assert brief.simulator.count("createConversation") == 1
    assert brief.simulator.judge().ok


def test_a_worker_that_vanishes_after_the_fallback_calls_it_again_with_the_same_key(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[FailedMessage] = []

    def fallback(failed: FailedMessage) -> None:
        taken.append(failed)
        if len(taken) == 1:
            raise Vanished

    world = make_world(lease_seconds=LEASE_SECONDS, fallback=fallback)
    identity = world.opened()
    world.says(world.replied(identity, key="k"), "failed", None, None, "30005")
    _go_on(world, times=1)
    assert [(failed.key, failed.text) for failed in taken] == [("k", "Hello!")] * 2
    assert world.state(identity) == "failed"


# Intake


def _calls(world: World, identity: str) -> dict[str, Callable[[], Any]]:
    word = DeliveryStatus(
        message_id=world.message(identity, "k-1").message_ids[0],
        conversation_id=remote(world, identity),
        status="delivered",
    )
    engine = world.engine
    return {
        "receive": lambda: world.text("again", message_id="in-again"),
        "reply": lambda: engine.reply(identity, "again", key="k-2"),
        "transfer": lambda: engine.transfer(identity, key="k-3", queue_id="queue_billing"),
        "record": lambda: engine.record(word),
        "archive": lambda: engine.archive(identity, key="k-4"),
    }


@pytest.mark.parametrize("call", ["receive", "reply", "transfer", "record", "archive"])
def test_a_call_that_did_not_return_stored_nothing_and_can_be_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    identity = world.opened()
    world.replied(identity, key="k-1")
    make = _calls(world, identity)[call]
    history = len(world.engine.history(identity))
    record = Recorder.record
    with monkeypatch.context() as patch:

        def crash(*arguments: Any, **options: Any) -> None:
            record(*arguments, **options)
            raise Vanished

        patch.setattr(Recorder, "record", crash)
        with pytest.raises(Vanished):
            make()
    assert len(world.engine.history(identity)) == history
    assert world.engine.drain() == 0
    assert make().duplicate is False
    assert make().duplicate is True
    world.engine.drain()
    assert world.posted(identity).count("again") == (call in ("receive", "reply"))


# Leases


def _claim(world: World, seconds: float) -> list[Any]:
    """A worker that takes what is due, and vanishes."""
    return list(
        world.engine._dispatcher._store.claim(world.clock(), limit=9, lease_seconds=seconds)
    )


def test_what_a_vanished_worker_held_is_taken_over_when_its_lease_is_over(world: World) -> None:
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k-2")
    assert len(_claim(world, 0.3)) == 1
    assert world.engine.drain() == 0
    time.sleep(0.4)
    pass_time(world, times=2)
    assert world.posted(identity) == ["one", "two"]


def test_leases_run_on_real_time(world: World) -> None:
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k-2")
    assert len(_claim(world, 60)) == 1
    world.clock.forward(days=2)
    assert world.engine.drain() == 0
    assert world.posted(identity) == ["one"]


def test_what_a_vanished_worker_held_may_have_been_posted_and_is_looked_up_first(
    world: World,
) -> None:
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k-2")
    _claim(world, 0.1)
    time.sleep(0.2)
    world.engine.drain()
    assert [operation for operation, _ in world.simulator.requests][-1] == "listMessages"
    assert world.posted(identity) == ["one"]
    world.clock.forward(seconds=60)
    world.engine.drain()
    assert world.posted(identity) == ["one", "two"]


def test_a_lease_without_time_left_for_the_look_up_posts_nothing_again(
    make_world: Callable[..., World],
) -> None:
    world = make_world(lease_seconds=0.5, request_timeout_seconds=10)
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "hang"))
    world.engine.reply(identity, "two", key="k-2")
    pass_time(world, times=4)
    assert world.posted(identity) == ["one", "two"]
    assert world.simulator.judge().ok


def test_a_worker_that_comes_too_late_after_one_that_vanished_still_looks_first(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vanished after the post; its successor is paused until its own lease is as good as over."""
    world = make_world(lease_seconds=LEASE_SECONDS)
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k-2")
    crashes = Crashes(monkeypatch)
    crashes.at("postMessage", remote(world, identity), "after")
    assert _drain_through_crashes(world) == 1
    time.sleep(LEASE_SECONDS * 1.2)
    carry_out = Dispatcher._carry_out

    def paused(dispatcher: Dispatcher, effect: Any, ends: float) -> None:
        carry_out(dispatcher, effect, ends - LEASE_SECONDS)

    with monkeypatch.context() as patch:
        patch.setattr(Dispatcher, "_carry_out", paused)
        world.engine.drain()
    pass_time(world, times=4)
    assert world.posted(identity) == ["one", "two"]
    assert world.simulator.judge().ok


# Zombies


class Pause:
    """Has the first call of a method wait between the platform's answer and its recording.

    It then raises ``outcome``, if there is one.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, method: str, outcome: Exception | None = None
    ) -> None:
        self.reached, self.released = threading.Event(), threading.Event()
        first, real = iter([True]), getattr(CXoneClient, method)

        def call(*arguments: Any, **options: Any) -> Any:
            paused = next(first, False)
            answer = real(*arguments, **options)
            if paused:
                self.reached.set()
                assert self.released.wait(20)
            if paused and outcome is not None:
                raise outcome
            return answer

        monkeypatch.setattr(CXoneClient, method, call)


@contextmanager
def _paused(engine: Engine, pause: Pause) -> Iterator[None]:
    """A worker of its own that reached the pause, and has gone on when the block is left."""
    worker = threading.Thread(target=engine.drain)
    worker.start()
    try:
        assert pause.reached.wait(10)
        yield
    finally:
        pause.released.set()
        worker.join()


@pytest.mark.parametrize("outcome", [None, ValueError("broken")], ids=["success", "failure"])
def test_a_worker_whose_lease_was_taken_over_writes_nothing(
    brief: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    outcome: Exception | None,
) -> None:
    brief.simulator.open_conversation(CUSTOMER, routing={"queue_id": QUEUE})
    identity = str(brief.text("one").conversation)
    pause = Pause(monkeypatch, "post_message", outcome)
    with brief.another_engine() as zombie, _paused(zombie, pause):
        time.sleep(LEASE_SECONDS * 1.2)
        brief.engine.drain()
        history = brief.engine.history(identity)
    posted = [event for event in history if event.name == "MessagePosted"]
    assert [event.data["how"] for event in posted] == ["look-up"]
    assert brief.engine.history(identity) == history
    assert [record.msg for record in caplog.records].count("effect.lease_lost") == 1
    assert brief.posted(identity) == ["one"]
    assert brief.engine.drain() == 0


def test_a_worker_writes_nothing_while_another_one_holds_what_was_its_own(
    brief: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief.simulator.open_conversation(CUSTOMER, routing={"queue_id": QUEUE})
    identity = str(brief.text("one").conversation)
    old = Pause(monkeypatch, "post_message")
    new = Pause(monkeypatch, "list_messages")
    with brief.another_engine() as zombie:
        with _paused(zombie, old):
            time.sleep(LEASE_SECONDS * 1.2)
            successor = threading.Thread(target=brief.engine.drain)
            successor.start()
            assert new.reached.wait(10)
        assert "MessagePosted" not in brief.events(identity)
        new.released.set()
        successor.join()
    assert brief.events(identity).count("MessagePosted") == 1
    assert brief.posted(identity) == ["one"]


def test_a_graceful_stop_finishes_what_it_holds(world: World) -> None:
    stop = threading.Event()
    worker = threading.Thread(
        target=world.engine.work, args=(stop,), kwargs={"poll_interval": 0.01}
    )
    worker.start()
    identities = [str(world.text("hi", from_=number(n)).conversation) for n in range(8)]
    stop.set()
    worker.join(10)
    assert not worker.is_alive()
    world.clock.now += timedelta(seconds=1)
    world.engine.drain()
    assert [world.posted(identity) for identity in identities] == [["hi"]] * 8
    assert world.simulator.count("listMessages") == 0
