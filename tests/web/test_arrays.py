"""Arrays of callbacks at the same time: each is one transaction, and none waits for a deadlock."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise

from world import World

from sms_fsm import Engine
from sms_fsm.failpoints import listening

from .serving import signed, text

CUSTOMERS = tuple(f"+1555123{n:04d}" for n in range(6))


def _array(name: str, customers: tuple[str, ...]) -> bytes:
    envelopes = [text(f"{name}-{n}", **{"from": who}) for n, who in enumerate(customers)]
    return json.dumps(envelopes).encode()


def _send_at_once(engines: list[Engine], bodies: list[bytes]) -> list[int]:
    """Each to an engine of its own, as to processes of their own."""

    def send(engine: Engine, body: bytes) -> int:
        return engine.webhook(body, signed(body)).status

    with ThreadPoolExecutor(len(engines)) as pool:
        return list(pool.map(send, engines, bodies))


def test_arrays_about_the_same_conversations_in_opposite_order_do_not_deadlock(
    world: World,
) -> None:
    with ExitStack() as stack:
        engines = [stack.enter_context(world.another_engine()) for _ in range(4)]
        for round_ in range(10):
            bodies = [
                _array(f"{round_}-{n}", CUSTOMERS if n % 2 else CUSTOMERS[::-1]) for n in range(4)
            ]
            assert _send_at_once(engines, bodies) == [200] * 4
    conversations = world.engine.conversations()
    assert len(conversations) == len(CUSTOMERS)
    for conversation in conversations:
        keys = [message.key for message in world.conversation(conversation.id).messages]
        assert len(keys) == len(set(keys)) == 40


def test_arrays_that_start_the_same_conversations_at_once_do_not_deadlock(world: World) -> None:
    with ExitStack() as stack:
        engines = [stack.enter_context(world.another_engine()) for _ in range(4)]
        for round_ in range(8):
            strangers = tuple(f"+1555321{round_}{n:03d}" for n in range(6))
            bodies = [
                _array(f"{round_}-{n}", strangers if n % 2 else strangers[::-1]) for n in range(4)
            ]
            assert _send_at_once(engines, bodies) == [200] * 4
    assert len(world.engine.conversations()) == 8 * 6


def test_the_same_array_at_once_is_taken_in_once(world: World) -> None:
    body = _array("same", CUSTOMERS)
    with ExitStack() as stack:
        engines = [stack.enter_context(world.another_engine()) for _ in range(4)]
        assert _send_at_once(engines, [body] * 4) == [200] * 4
    for conversation in world.engine.conversations():
        assert len(world.conversation(conversation.id).messages) == 1


def test_an_array_is_stored_by_one_commit(world: World) -> None:
    reached: list[str] = []
    body = _array("all", CUSTOMERS)
    with listening(lambda point, _: reached.append(point)):
        assert world.engine.webhook(body, signed(body)).status == 200
    assert reached == ["commit.before", "commit.after"]


def test_texts_of_one_customer_in_an_array_keep_their_order(world: World) -> None:
    envelopes = [text(f"m-{n}", f"text {n}") for n in range(200)]
    body = json.dumps(envelopes).encode()
    assert world.engine.webhook(body, signed(body)).status == 200
    (conversation,) = world.engine.conversations()
    messages = world.conversation(conversation.id).messages
    assert [message.text for message in messages] == [f"text {n}" for n in range(200)]
    assert all(first.seq < second.seq for first, second in pairwise(messages))
