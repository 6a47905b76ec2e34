"""CONTRACT §5.4: order within a conversation, no waiting between them, and what dead letters do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from journeys import number, operations, pass_time, remote, retry_all, texts
from world import CUSTOMER, World

from sms_fsm.simulator import Fault


def _wait_for(condition: Callable[[], bool], seconds: float = 5) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


# Order


def test_texts_of_both_directions_and_notes_keep_their_order_under_faults(world: World) -> None:
    for kind, share in (("reset", 0.2), ("late", 0.15), ("garbage", 0.1)):
        world.simulator.fault(Fault("postMessage", kind, probability=share))
    world.simulator.fault(Fault("*", "status", status=503, probability=0.1))
    world.simulator.fault(Fault("*", "status", status=429, retry_after=3, probability=0.1))
    identities = [str(world.text("0", from_=number(n)).conversation) for n in range(2)]
    for n in range(1, 10):
        for identity in identities:
            if n % 3 == 0:
                world.text(str(n), from_=world.conversation(identity).customer)
            else:
                world.engine.reply(identity, str(n), key=str(n), internal_note=n % 5 == 0)
        pass_time(world, times=1, seconds=20)
    pass_time(world, times=20)
    world.simulator.clear_faults()
    pass_time(world, times=6, seconds=300)
    wanted = [str(n) for n in range(10)]
    assert [world.posted(identity) for identity in identities] == [wanted] * 2
    assert world.engine.dead_letters() == []
    assert world.simulator.judge().ok


def test_the_next_text_waits_while_the_one_before_it_is_in_trouble(world: World) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=429, retry_after=10))
    world.engine.reply(identity, "two", key="k-2")
    world.text("three")
    world.engine.drain()
    assert world.posted(identity) == ["one"]
    world.clock.forward(seconds=10)
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three"]


def test_a_text_waits_while_the_one_before_it_may_have_been_applied(world: World) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "late", late_seconds=50))
    world.engine.reply(identity, "two", key="k-2")
    world.text("three")
    world.engine.drain()
    assert world.posted(identity) == ["one"]
    pass_time(world, times=2)
    assert world.posted(identity) == ["one", "two", "three"]


def test_transfers_keep_their_place_between_texts(world: World) -> None:
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k-2")
    world.engine.transfer(identity, key="k-3", queue_id="queue_billing")
    world.text("three")
    world.engine.drain()
    assert operations(world.simulator)[-3:] == ["postMessage", "updateRouting", "postMessage"]


def test_parts_of_a_long_text_are_posted_in_order_before_the_next_text(world: World) -> None:
    long = "".join(f"{n:04d} " for n in range(700))
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=503, nth=2))
    world.engine.reply(identity, long, key="long")
    world.text("next")
    pass_time(world, times=3)
    first, *parts, last = world.posted(identity)
    assert (first, last) == ("one", "next")
    assert len(parts) == 3
    assert "".join(parts) == long
    assert len(world.message(identity, "long").message_ids) == 3
    assert world.simulator.judge().ok


# No conversation waits for another


def test_a_conversation_in_trouble_delays_no_other(world: World) -> None:
    troubled = world.opened("one")
    world.simulator.fault(
        Fault("*", "status", status=503, probability=1, containing=remote(world, troubled))
    )
    world.engine.reply(troubled, "two", key="k-2")
    others = [str(world.text("hi", from_=number(n)).conversation) for n in range(10)]
    world.engine.drain()
    assert [world.posted(identity) for identity in others] == [["hi"]] * 10
    assert world.posted(troubled) == ["one"]


def test_an_answer_that_takes_long_delays_no_other_conversation(
    make_world: Callable[..., World],
) -> None:
    world = make_world(request_timeout_seconds=20)
    slow, quick = world.opened(), str(world.text(from_=number(1)).conversation)
    world.engine.drain()
    release = threading.Event()
    world.simulator.carrier_says("slow", [("sent", None)], before_answer=True)
    world.simulator.send_webhooks_to(lambda *_: 200 if release.wait(20) else 503)
    world.engine.reply(slow, "slow", key="k")
    world.engine.reply(quick, "quick", key="k")
    worker = threading.Thread(target=world.engine.drain)
    worker.start()
    try:
        _wait_for(lambda: world.message(quick, "k").status == "accepted")
        assert world.message(slow, "k").status == "queued"
    finally:
        release.set()
        worker.join()
    assert world.posted(slow) == ["hi", "slow"]


def test_a_poisoned_host_function_stops_nothing_else(make_world: Callable[..., World]) -> None:
    def look_up(_: str) -> str:
        raise RuntimeError("the look-up is broken")

    world = make_world(carrier_lookup=look_up)
    identities = [str(world.text(from_=number(n)).conversation) for n in range(3)]
    world.engine.drain()
    assert [world.posted(identity) for identity in identities] == [["hi"]] * 3


# Dead letters


def test_a_dead_text_steps_aside(world: World) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=400, containing="poison"))
    world.engine.reply(identity, "poison", key="k-2")
    world.text("three")
    world.engine.reply(identity, "four", key="k-4")
    world.engine.drain()
    assert world.posted(identity) == ["one", "three", "four"]
    (dead,) = world.engine.dead_letters()
    assert (dead.name, dead.conversation) == ("PostMessage", identity)
    world.engine.retry(dead.id)
    world.engine.drain()
    assert world.posted(identity) == ["one", "three", "four", "poison"]
    assert world.engine.dead_letters() == []


def test_a_retried_text_goes_before_what_came_after_it_and_still_waits(world: World) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=400, containing="poison"))
    world.engine.reply(identity, "poison", key="k-2")
    world.engine.drain()
    world.simulator.fault(Fault("postMessage", "status", status=429, retry_after=10))
    world.engine.reply(identity, "three", key="k-3")
    world.engine.reply(identity, "four", key="k-4")
    world.engine.drain()
    retry_all(world)
    assert world.posted(identity) == ["one", "three", "poison", "four"]


def test_a_dead_transfer_steps_aside(world: World) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("updateRouting", "status", status=400))
    world.engine.transfer(identity, key="k-2", queue_id="queue_billing")
    world.text("three")
    world.engine.drain()
    assert world.posted(identity) == ["one", "three"]
    (dead,) = world.engine.dead_letters()
    assert dead.name == "UpdateRouting"
    assert world.conversation(identity).routing.queue_id != "queue_billing"
    retry_all(world)
    assert world.conversation(identity).routing.queue_id == "queue_billing"


@pytest.mark.parametrize("operation", ["findConversations", "createConversation"])
def test_a_dead_opening_holds_what_follows_and_its_retry_releases_it_in_order(
    world: World, operation: str
) -> None:
    world.simulator.fault(Fault(operation, "status", status=403))
    identity = str(world.text("one").conversation)
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    world.text("three")
    world.engine.transfer(identity, key="k-4", queue_id="queue_billing")
    pass_time(world, times=3, seconds=3600)
    assert world.simulator.conversations == []
    assert world.simulator.count("postMessage") == 0
    (dead,) = world.engine.dead_letters()
    assert dead.name == "OpenConversation"
    world.engine.retry(dead.id)
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three"]
    assert world.conversation(identity).routing.queue_id == "queue_billing"
    assert world.simulator.judge().ok


@pytest.mark.parametrize("operation", ["getConversation", "updateConversation"])
def test_a_dead_reactivation_holds_what_follows_and_its_retry_releases_it_in_order(
    world: World, operation: str
) -> None:
    identity = world.opened("one")
    world.simulator.archive(remote(world, identity))
    world.simulator.fault(Fault(operation, "status", status=403))
    world.text("two")
    world.engine.drain()
    world.engine.reply(identity, "three", key="k-3")
    pass_time(world, times=3, seconds=3600)
    assert world.posted(identity) == ["one"]
    (dead,) = world.engine.dead_letters()
    assert dead.name == "ReactivateConversation"
    world.engine.retry(dead.id)
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three"]
    assert world.simulator.judge().ok


def test_a_dead_opening_holds_no_other_conversation(world: World) -> None:
    world.simulator.fault(
        Fault("createConversation", "status", status=400, containing=CUSTOMER[1:])
    )
    world.text("one")
    other = str(world.text("two", from_=number(1)).conversation)
    world.engine.drain()
    assert world.posted(other) == ["two"]
    assert [effect.name for effect in world.engine.dead_letters()] == ["OpenConversation"]


def test_a_dead_part_does_not_hold_the_next_text(world: World) -> None:
    long = "x" * 3000
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=400, nth=2))
    world.engine.reply(identity, long, key="long")
    world.text("next")
    world.engine.drain()
    assert texts(world.simulator, remote(world, identity))[-1] == "next"
    assert len(world.engine.dead_letters()) == 1
    retry_all(world)
    posted = world.posted(identity)
    assert "".join(text for text in posted if set(text) == {"x"}) == long
    assert len(posted) == 4
