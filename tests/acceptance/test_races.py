"""CONTRACT §5.1, §5.3 and §5.4 from many threads and engines on one store at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import pytest
from journeys import conversations_of, in_order, number, pass_time, remote, texts
from world import BUSINESS, CUSTOMER, World

from sms_fsm import Engine, InboundMessage, KeyReused, Receipt, UnknownEffect
from sms_fsm.cxone import CXoneClient
from sms_fsm.simulator import Fault

THREADS = 8
ENGINES = 4
NUMBERS = 50
TEXTS_A_THREAD = 2
T = TypeVar("T")


@contextmanager
def _engines(world: World) -> Iterator[list[Engine]]:
    """Several engines on the store of this world."""
    with ExitStack() as stack:
        others = [stack.enter_context(world.another_engine()) for _ in range(ENGINES - 1)]
        yield [world.engine, *others]


@contextmanager
def _working(engines: list[Engine]) -> Iterator[None]:
    """All of them carry out what is due, until the block is left."""
    stop = threading.Event()
    workers = [
        threading.Thread(target=engine.work, args=(stop,), kwargs={"poll_interval": 0.05})
        for engine in engines
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def _at_once(act: Callable[[int], T], times: int = THREADS) -> list[T]:
    """What ``act`` gives in so many threads that start together."""
    start = threading.Barrier(times)

    def run(n: int) -> T:
        start.wait()
        return act(n)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def _message(message_id: str, text: str, **fields: Any) -> InboundMessage:
    return InboundMessage(
        **({"message_id": message_id, "from_": CUSTOMER, "to": BUSINESS, "text": text} | fields)
    )


def test_many_threads_and_engines_make_one_conversation_a_number_and_keep_the_order(
    make_world: Callable[..., World],
) -> None:
    world = make_world(request_timeout_seconds=20)

    with _engines(world) as engines:

        def arrive(thread: int) -> None:
            engine = engines[thread % ENGINES]
            for n in range(TEXTS_A_THREAD):
                for customer in range(thread % 2, NUMBERS, 2):
                    text = f"{thread}.{n}"
                    engine.receive(_message(f"{customer}.{text}", text, from_=number(customer)))

        with _working(engines):
            _at_once(arrive)
        world.engine.drain()
    for customer in range(NUMBERS):
        threads = range(customer % 2, THREADS, 2)
        sent = [[f"{thread}.{n}" for n in range(TEXTS_A_THREAD)] for thread in threads]
        (conversation,) = conversations_of(world.simulator, number(customer))
        posted = texts(world.simulator, conversation["conversationId"])
        assert len(posted) == len(threads) * TEXTS_A_THREAD
        assert all(in_order(one_thread, posted) for one_thread in sent)
    assert len(world.simulator.conversations) == NUMBERS
    assert world.simulator.judge().ok


def test_the_same_text_taken_in_at_once_is_one_message(world: World) -> None:
    with _engines(world) as engines:
        receipts = _at_once(lambda n: engines[n % ENGINES].receive(_message("m-1", "hi")))
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 1, True: THREADS - 1}
    assert len({receipt.conversation for receipt in receipts}) == 1
    world.engine.drain()
    assert world.posted(str(receipts[0].conversation)) == ["hi"]


def test_first_texts_and_outreach_at_once_are_one_conversation(world: World) -> None:
    def meet(n: int) -> Receipt:
        engine = engines[n % ENGINES]
        if n % 2:
            return engine.initiate(to=CUSTOMER, from_=BUSINESS, text=str(n), key=f"o-{n}")
        return engine.receive(_message(f"m-{n}", str(n)))

    with _engines(world) as engines:
        receipts = _at_once(meet)
        with _working(engines):
            pass
    world.engine.drain()
    (identity,) = {receipt.conversation for receipt in receipts}
    assert sorted(world.posted(str(identity))) == [str(n) for n in range(THREADS)]
    assert len(world.simulator.conversations) == 1
    assert world.simulator.judge().ok


def test_one_key_used_at_once_with_one_content_is_one_message(world: World) -> None:
    identity = world.opened("one")
    with _engines(world) as engines:
        receipts = _at_once(lambda n: engines[n % ENGINES].reply(identity, "two", key="k"))
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 1, True: THREADS - 1}
    world.engine.drain()
    assert world.posted(identity) == ["one", "two"]


def test_one_key_used_at_once_with_many_contents_is_one_message(world: World) -> None:
    identity = world.opened("one")

    def reply(n: int) -> Receipt | KeyReused:
        try:
            return engines[n % ENGINES].reply(identity, str(n), key="k")
        except KeyReused as reused:
            return reused

    with _engines(world) as engines:
        outcomes = _at_once(reply)
    taken = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Receipt)]
    world.engine.drain()
    assert world.posted(identity) == ["one", *map(str, taken)]
    assert len(taken) == 1


def test_work_that_many_drain_at_once_is_done_once(world: World) -> None:
    identities = [str(world.text("hi", from_=number(n)).conversation) for n in range(20)]
    with _engines(world) as engines:
        _at_once(lambda n: engines[n % ENGINES].drain())
    world.engine.drain()
    assert [world.posted(identity) for identity in identities] == [["hi"]] * 20
    assert world.simulator.count("postMessage") == world.simulator.count("createConversation") == 20


def test_a_dead_letter_retried_by_many_at_once_goes_once(world: World) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=400))
    world.engine.reply(identity, "two", key="k")
    world.engine.drain()
    (dead,) = world.engine.dead_letters()

    def retry(n: int) -> bool:
        try:
            engines[n % ENGINES].retry(dead.id)
        except UnknownEffect:
            return False
        return True

    with _engines(world) as engines:
        assert _at_once(retry).count(True) == 1
    world.engine.drain()
    assert world.posted(identity) == ["one", "two"]
    assert world.events(identity).count("EffectRetried") == 1


def test_two_pairs_that_race_to_adopt_one_conversation_do_not_share_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = world.simulator.open_conversation(CUSTOMER)
    both_have_seen_it = threading.Barrier(2)
    first_look_up, real = iter([True, True]), CXoneClient.find_conversations

    def find(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        if next(first_look_up, False):
            both_have_seen_it.wait(10)
        return found

    monkeypatch.setattr(CXoneClient, "find_conversations", find)
    pair = [world.text("to one").conversation, world.text("to two", to=number(1)).conversation]
    with _engines(world) as engines:
        _at_once(lambda n: engines[n].drain(), times=2)
    pass_time(world, times=2)
    held = [remote(world, str(identity)) for identity in pair]
    assert len(set(held)) == 2
    assert there in held
    assert [world.posted(str(identity)) for identity in pair] == [["to one"], ["to two"]]
    assert world.simulator.count("createConversation") == 1


def test_conversations_are_handed_over_and_texted_at_once_without_loss(world: World) -> None:
    identity = world.opened("0")

    def act(n: int) -> None:
        engine = engines[n % ENGINES]
        for step in range(2):
            engine.reply(identity, f"{n}.{step}", key=f"{n}.{step}")
            engine.transfer(identity, key=f"t.{n}.{step}", queue_id=f"queue_{n}")
            engine.drain(limit=2)

    with _engines(world) as engines:
        _at_once(act)
    world.engine.drain()
    posted = world.posted(identity)
    assert len(posted) == 1 + THREADS * 2
    assert all(in_order([f"{n}.{s}" for s in range(2)], posted) for n in range(THREADS))
    assert world.simulator.count("updateRouting") == 1 + THREADS * 2
    assert world.simulator.judge().ok
