"""Customers who opt out get one confirmation and nothing else until they opt in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import BUSINESS, CUSTOMER, World

from sms_fsm import FailedMessage, OptedOut

CONFIRMED = "You are unsubscribed"


@pytest.mark.parametrize(
    "word", ["STOP", "stop.", " Stop! ", "\uff33\uff34\uff2f\uff30", "opt-out", "Arrêt"]
)
def test_a_stop_word_gets_one_confirmation_and_refuses_later_texts(world: World, word: str) -> None:
    identity = world.opened()
    world.text(word)
    world.text(word)
    world.engine.drain()
    posted = world.posted(identity)
    assert [text[: len(CONFIRMED)] for text in posted].count(CONFIRMED) == 1
    with pytest.raises(OptedOut):
        world.engine.reply(identity, "Hello!", key="k")
    with pytest.raises(OptedOut):
        world.engine.initiate(to=CUSTOMER, from_=BUSINESS, text="Sale!", key="o")
    world.engine.drain()
    assert world.posted(identity) == posted


def test_a_sentence_with_a_stop_word_is_no_opt_out(world: World) -> None:
    identity = world.opened()
    world.text("don't stop")
    world.replied(identity, "we won't")
    assert world.posted(identity)[-1] == "we won't"


def test_the_log_says_so_without_moving_the_state(world: World) -> None:
    identity = world.opened()
    world.text("STOP")
    opted_out = world.engine.history(identity)[-1]
    assert opted_out.name == "CustomerOptedOut"
    assert opted_out.source == opted_out.target == "routed"


def test_queued_texts_are_withdrawn(world: World) -> None:
    identity = world.opened()
    world.engine.reply(identity, "queued", key="k")
    world.text("STOP")
    world.engine.drain()
    assert "queued" not in world.posted(identity)
    assert world.message(identity, "k").status == "failed"
    assert "MessageWithdrawn" in world.events(identity)
    assert world.engine.dead_letters() == []


def test_planned_retries_and_fallbacks_are_withdrawn(make_world: Callable[..., World]) -> None:
    failed: list[FailedMessage] = []
    world = make_world(fallback=failed.append)
    identity = world.opened()
    retried, handed_over = world.replied(identity, "one"), world.replied(identity, "two")
    world.says(retried, "failed", None, None, "30003")
    world.says(handed_over, "failed", None, None, "30005")
    world.text("STOP")
    world.clock.forward(seconds=60)
    world.engine.drain()
    assert failed == []
    assert world.posted(identity).count("one") == 1


def test_internal_notes_are_still_taken(world: World) -> None:
    identity = world.opened()
    world.text("STOP")
    world.replied(identity, "do not call", internal_note=True)
    assert "do not call" in world.posted(identity)


def test_a_repeated_key_of_before_is_still_a_duplicate(world: World) -> None:
    identity = world.opened()
    world.replied(identity, "Hello!", key="k")
    world.text("STOP")
    assert world.engine.reply(identity, "Hello!", key="k").duplicate


def test_start_opts_in_again(world: World) -> None:
    identity = world.opened()
    world.text("STOP")
    world.text("START")
    world.replied(identity, "welcome back")
    assert world.posted(identity)[-1] == "welcome back"
    assert "CustomerOptedIn" in world.events(identity)


def test_a_carriers_opt_out_code_opts_out_without_a_confirmation(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "failed", None, None, "21610")
    world.engine.drain()
    with pytest.raises(OptedOut):
        world.engine.reply(identity, "again", key="again")
    assert world.posted(identity) == ["hi", "Hello!"]


def test_opting_out_of_one_business_number_leaves_the_others(world: World) -> None:
    identity = world.opened()
    world.text("STOP")
    other = world.text(to="+18885550199").conversation
    world.engine.drain()
    assert other is not None
    world.replied(other, "still here")
    assert world.posted(other)[-1] == "still here"
    with pytest.raises(OptedOut):
        world.engine.reply(identity, "Hello!", key="k")
