"""CONTRACT §5.10 and §5.11 from end to end: tokens that end under way, texts of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from journeys import number, pass_time, recorded_bodies
from world import CUSTOMER, World

from sms_fsm import InvalidMessage
from sms_fsm.simulator import Fault

FAMILY = "\U0001f469‍\U0001f469‍\U0001f467‍\U0001f466"
TEXTS = {
    "plain": "Your ticket has been updated.",
    "extension": "^{}\\[~]|€" * 20,
    "white space": " \n ",
    "nul": "before\0after",
    "emoji": f"Thanks {FAMILY}!",
    "other scripts": "Привет, 你好, مرحبا",
    "long": "0123456789" * 100,
    "long with emoji": f"{FAMILY} and so on. " * 40,
    "flags": "\U0001f1e9\U0001f1ea" * 60,
}


# Tokens


def test_a_conversation_outlives_many_tokens_without_a_single_401(world: World) -> None:
    identity = world.opened("0")
    for n in range(1, 10):
        world.clock.forward(seconds=1200)
        world.replied(identity, str(n))
    assert world.posted(identity) == [str(n) for n in range(10)]
    assert 401 not in [entry.status for entry in world.simulator.ledger]
    assert world.simulator.count("issueToken") == 4


def test_a_token_that_is_refused_is_renewed_and_the_call_repeated_once(world: World) -> None:
    identity = world.opened("one")
    world.simulator.revoke_tokens()
    message = world.replied(identity, "two")
    posts = [e.status for e in world.simulator.ledger if e.operation == "postMessage"]
    assert posts == [201, 401, 201]
    assert world.simulator.count("issueToken") == 2
    assert world.posted(identity) == ["one", "two"]
    assert message.status == "accepted"
    assert "AnswerLost" not in world.events(identity)


def test_a_platform_that_refuses_every_token_is_not_stormed_and_nothing_is_lost(
    world: World,
) -> None:
    identity = world.opened("one")
    world.simulator.fault(Fault("postMessage", "status", status=401, probability=1))
    world.engine.reply(identity, "two", key="k")
    pass_time(world, times=30, seconds=10)
    assert world.simulator.count("postMessage") < 30
    world.simulator.clear_faults()
    pass_time(world, times=6)
    assert world.posted(identity) == ["one", "two"]


def test_processes_with_a_token_key_share_one_token_and_store_it_encrypted(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(token_key=Fernet.generate_key().decode())
    identity = world.opened("one")
    with world.another_engine() as other:
        other.reply(identity, "two", key="k-2")
        other.drain()
        world.clock.forward(seconds=3001)
        other.reply(identity, "three", key="k-3")
        other.drain()
    world.engine.reply(identity, "four", key="k-4")
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three", "four"]
    assert world.simulator.count("issueToken") == 2
    assert 401 not in [entry.status for entry in world.simulator.ledger]
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))
    assert b"access_token" not in stored
    assert b"refresh_token" not in stored


def test_processes_without_a_token_key_have_a_token_each(world: World) -> None:
    identity = world.opened("one")
    with world.another_engine() as other:
        other.reply(identity, "two", key="k-2")
        other.drain()
    assert world.simulator.count("issueToken") == 2


# Texts


def test_every_text_arrives_as_it_was_written_and_is_kept_as_it_was(world: World) -> None:
    for n, (name, text) in enumerate(TEXTS.items()):
        identity = str(world.text(text, from_=number(n)).conversation)
        world.replied(identity, text, key="k")
        inbound, *outbound = world.posted(identity)
        assert (name, inbound, "".join(outbound)) == (name, text, text)
        assert [message.text for message in world.conversation(identity).messages] == [text] * 2
    assert world.simulator.judge().ok


def test_a_text_outside_gsm_7_is_declared_utf8(world: World) -> None:
    identity = world.opened("hi")
    bodies = recorded_bodies(world.simulator)
    for name, text in TEXTS.items():
        world.replied(identity, text)
        declared = {body["encoding"] for operation, body in bodies if operation == "postMessage"}
        gsm7 = name in ("plain", "extension", "white space", "long")
        assert (name, declared) == (name, {"gsm7" if gsm7 else "utf8"})
        bodies.clear()


def test_a_customers_text_comes_in_by_webhook_as_it_was_written(world: World) -> None:
    for text in TEXTS.values():
        world.simulator.customer_texts(CUSTOMER, "+18885550100", text)
    world.engine.drain()
    found = world.engine.find(customer=CUSTOMER)
    assert found is not None
    assert world.posted(found.id) == list(TEXTS.values())
    assert world.simulator.judge().ok


@pytest.mark.parametrize(
    ("policy", "lengths"), [("split", [306, 306, 306, 82]), ("truncate", [306])]
)
def test_a_text_that_is_too_long_is_split_or_truncated_by_policy(
    make_world: Callable[..., World], policy: str, lengths: list[int]
) -> None:
    world = make_world(max_segments=2, overflow=policy)
    identity = world.opened("hi")
    world.replied(identity, TEXTS["long"])
    assert [len(text) for text in world.posted(identity)[1:]] == lengths


def test_a_text_that_is_too_long_is_refused_by_policy(make_world: Callable[..., World]) -> None:
    world = make_world(max_segments=2, overflow="refuse")
    identity = world.opened("hi")
    with pytest.raises(InvalidMessage) as refused:
        world.engine.reply(identity, TEXTS["long"], key="k")
    assert refused.value.field == "text"
    assert world.engine.drain() == 0
