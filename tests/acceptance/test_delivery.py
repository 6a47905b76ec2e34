"""CONTRACT §5.5 to 5.7: delivery is what carriers say, failures go again, callbacks repeat."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from world import World

from sms_fsm import DeliveryStatus, FailedMessage, Message

PERMANENT = (None, None, "30005")
TRANSIENT = (None, None, "30003")
UNLISTED = (None, None, "99999")


def _fail_until_exhausted(world: World, identity: str, key: str) -> Message:
    """A text that carriers fail transiently four times."""
    message = world.replied(identity, key=key)
    for wait_seconds in (60, 300, 900):
        world.says(message, "failed", *TRANSIENT)
        world.clock.forward(seconds=wait_seconds)
        world.engine.drain()
        message = world.message(identity, key)
    world.says(message, "failed", *TRANSIENT)
    return world.message(identity, key)


# 5.5


def test_delivery_is_never_judged_by_the_messages_endpoint(world: World) -> None:
    identity = world.opened()
    world.replied(identity)
    world.clock.forward(hours=2)
    world.engine.drain()
    assert world.simulator.count("listMessages") == 0
    assert world.simulator.count("listDeliveryStatus") > 0


def test_polls_begin_after_300_seconds_and_double_to_an_hour(world: World) -> None:
    world.simulator.carrier_says("Hello!", [("sent", None)])
    identity = world.opened()
    world.replied(identity, "Hello!")
    polled_at = []
    for second in range(0, 12_000, 100):
        before = world.simulator.count("listDeliveryStatus")
        world.engine.drain()
        if world.simulator.count("listDeliveryStatus") > before:
            polled_at.append(second)
        world.clock.forward(seconds=100)
    assert polled_at == [300, 900, 2100, 4500, 8100, 11_700]


def test_a_polled_verdict_settles_the_text_and_ends_the_polls(world: World) -> None:
    identity = world.opened()
    world.replied(identity, key="k")
    world.simulator.send_webhooks_to(None)
    world.simulator.deliver()
    world.clock.forward(seconds=300)
    world.engine.drain()
    assert world.message(identity, "k").status == "delivered"
    assert world.state(identity) == "delivered"
    calls = world.simulator.count("listDeliveryStatus")
    world.clock.forward(hours=30)
    world.engine.drain()
    assert world.simulator.count("listDeliveryStatus") == calls


def test_without_any_verdict_a_text_stays_sent_and_is_never_sent_again(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    world.says(message, "sent")
    for _ in range(60):
        world.clock.forward(hours=1)
        world.engine.drain()
    assert world.message(identity, "k").status == "sent"
    assert world.posted(identity) == ["hi", "Hello!"]
    assert world.state(identity) == "awaiting_delivery"


def test_several_texts_can_be_in_flight(world: World) -> None:
    identity = world.opened()
    messages = [world.replied(identity, f"text {n}") for n in range(3)]
    assert world.conversation(identity).outstanding == 3
    for message in reversed(messages):
        world.says(message, "delivered")
    assert world.state(identity) == "delivered"


def test_a_status_before_the_posts_own_answer_is_not_lost(world: World) -> None:
    identity = world.opened()
    remote = world.conversation(identity).conversation_id
    assert remote is not None
    world.engine.reply(identity, "Hello!", key="k")
    upcoming = f"msg-{len(world.simulator.messages(remote)) + 1:08d}"
    receipt = world.engine.record(_status(upcoming, remote, "delivered"))
    assert (receipt.conversation, receipt.state) == (None, None)
    assert receipt.reason
    world.engine.drain()
    assert world.message(identity, "k").message_ids == (upcoming,)
    assert world.message(identity, "k").status == "delivered"
    assert world.state(identity) == "delivered"


def test_a_parked_status_is_kept_for_seven_days(world: World) -> None:
    identity = world.opened()
    remote = world.conversation(identity).conversation_id
    assert remote is not None
    world.engine.record(_status("msg-00000002", remote, "delivered"))
    world.clock.forward(days=7, seconds=1)
    world.restart()
    world.engine.drain()
    world.engine.reply(identity, "Hello!", key="k")
    world.engine.drain()
    assert world.message(identity, "k").message_ids == ("msg-00000002",)
    assert world.message(identity, "k").status == "accepted"


def _status(message_id: str, conversation_id: str, status: str) -> DeliveryStatus:
    return DeliveryStatus(message_id=message_id, conversation_id=conversation_id, status=status)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "failed"])))
def test_words_in_any_order_and_many_times_give_the_same_end(
    world: World, order: tuple[str, ...]
) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    for status in order:
        codes = PERMANENT if status == "failed" else (None, None, None)
        first, *others = [world.says(message, status, *codes) for _ in range(3)]
        assert not first.duplicate
        assert all(receipt.duplicate for receipt in others)
    world.engine.drain()
    assert world.message(identity, "k").status == "delivered"
    assert world.state(identity) == "delivered"


def test_no_word_moves_a_text_back(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    for status in ("delivered", "sent", "queued", "failed", "unknown", "undelivered"):
        world.says(message, status, *PERMANENT)
        assert world.message(identity, "k").status == "delivered"
    assert world.state(identity) == "delivered"


def test_delivered_cancels_a_planned_retry(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    world.says(message, "failed", *TRANSIENT)
    world.says(message, "delivered")
    world.clock.forward(hours=1)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "Hello!"]
    assert world.state(identity) == "delivered"


def test_delivered_cancels_a_planned_fallback(make_world: Callable[..., World]) -> None:
    failed: list[FailedMessage] = []
    world = make_world(fallback=failed.append)
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "failed", *PERMANENT)
    world.says(message, "delivered")
    world.engine.drain()
    assert failed == []
    assert world.state(identity) == "delivered"


def test_a_long_text_is_delivered_when_each_part_has_one_delivered_attempt(
    make_world: Callable[..., World],
) -> None:
    world = make_world(max_segments=1)
    identity = world.opened()
    message = world.replied(identity, "a" * 400, key="k")
    assert len(message.message_ids) == 3
    world.says(message, "delivered", part=0)
    world.says(message, "failed", *TRANSIENT, part=1)
    world.says(message, "delivered", part=2)
    assert world.state(identity) == "awaiting_delivery"
    world.clock.forward(seconds=60)
    world.engine.drain()
    message = world.message(identity, "k")
    assert len(message.message_ids) == 4
    assert world.posted(identity)[-1] == world.posted(identity)[2]
    world.says(message, "delivered", part=2)
    assert world.message(identity, "k").status == "delivered"
    assert world.state(identity) == "delivered"


# 5.6


def test_a_transient_failure_is_sent_again_after_60_300_and_900_seconds(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    for wait_seconds in (60, 300, 900):
        assert world.says(message, "failed", *TRANSIENT).state == "awaiting_delivery"
        posts = len(world.posted(identity))
        world.clock.forward(seconds=wait_seconds - 1)
        world.engine.drain()
        assert len(world.posted(identity)) == posts
        world.clock.forward(seconds=1)
        world.engine.drain()
        assert len(world.posted(identity)) == posts + 1
        message = world.message(identity, "k")
    assert world.says(message, "failed", *TRANSIENT).state == "failed"
    assert world.message(identity, "k").status == "failed"
    assert message.attempts == 4


def test_each_attempt_has_a_new_reference_in_the_same_conversation(world: World) -> None:
    identity = world.opened()
    _fail_until_exhausted(world, identity, "k")
    remote = world.conversation(identity).conversation_id
    assert remote is not None
    posts = world.simulator.messages(remote)[1:]
    references = {post["metadata"]["client_reference"] for post in posts}
    assert len(posts) == len(references) == 4
    assert len(world.simulator.conversations) == 1


def test_a_text_that_waits_for_its_retry_is_outstanding(world: World) -> None:
    identity = world.opened()
    waiting = world.replied(identity, "one")
    other = world.replied(identity, "two")
    world.says(waiting, "failed", *TRANSIENT)
    assert world.says(other, "delivered").state == "awaiting_delivery"


def test_a_final_failure_goes_to_the_fallback_once_and_then_is_failed(
    make_world: Callable[..., World],
) -> None:
    failed: list[FailedMessage] = []
    world = make_world(fallback=failed.append)
    identity = world.opened()
    message = world.replied(identity, "Hello!", key="k")
    assert world.says(message, "failed", *PERMANENT).state == "awaiting_delivery"
    world.says(message, "undelivered", *PERMANENT)
    world.engine.drain()
    assert world.state(identity) == "failed"
    [handed_over] = failed
    assert (handed_over.key, handed_over.text) == ("k", "Hello!")
    assert handed_over.conversation == identity
    assert handed_over.codes == ("30005",)
    assert handed_over.attempts == 1
    world.engine.drain()
    assert len(failed) == 1


def test_retries_come_before_the_fallback(make_world: Callable[..., World]) -> None:
    failed: list[FailedMessage] = []
    world = make_world(fallback=failed.append)
    identity = world.opened()
    _fail_until_exhausted(world, identity, "k")
    assert failed == []
    world.engine.drain()
    assert [message.attempts for message in failed] == [4]
    assert world.state(identity) == "failed"


def test_a_fallback_that_crashes_is_called_again_with_the_same_key(
    make_world: Callable[..., World],
) -> None:
    keys: list[str] = []

    def crash_once(message: FailedMessage) -> None:
        keys.append(message.key)
        if len(keys) == 1:
            raise ConnectionError

    world = make_world(fallback=crash_once)
    identity = world.opened()
    world.says(world.replied(identity, key="k"), "failed", *PERMANENT)
    world.engine.drain()
    assert world.state(identity) == "awaiting_delivery"
    world.clock.forward(seconds=300)
    world.engine.drain()
    assert keys == ["k", "k"]
    assert world.state(identity) == "failed"


def test_codes_that_are_never_retryable_get_no_further_attempt(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity, key="k")
    assert world.says(message, "failed", *PERMANENT).state == "failed"
    world.clock.forward(days=2)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "Hello!"]


def test_the_error_code_is_judged_before_the_carriers_and_the_status_code(world: World) -> None:
    identity = world.opened()
    one, two = world.replied(identity, "one", key="1"), world.replied(identity, "two", key="2")
    world.says(one, "failed", "REJECTD", None, "30003")
    world.says(two, "failed", "EXPIRED", None, "30005")
    world.clock.forward(seconds=60)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "one", "two", "one"]


def test_unknown_codes_are_retried_by_default(world: World) -> None:
    identity = world.opened()
    world.says(world.replied(identity), "failed", *UNLISTED)
    world.clock.forward(seconds=60)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "Hello!", "Hello!"]


# 5.7


def test_a_callback_storm_advances_nothing_and_is_counted(
    make_world: Callable[..., World],
) -> None:
    world = make_world(carrier_lookup=lambda _: "carrier-a")
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "delivered", "DELIVRD")
    logged = len(world.engine.history(identity))
    for _ in range(10):
        assert world.says(message, "delivered", "DELIVRD").duplicate
    assert len(world.engine.history(identity)) == logged
    [figures] = world.engine.carriers()
    assert (figures.profile, figures.duplicates, figures.delivered) == ("carrier-a", 10, 1)


def test_without_a_look_up_duplicates_count_as_unknown(world: World) -> None:
    message = world.replied(world.opened())
    for _ in range(2):
        world.says(message, "delivered")
    assert [(f.profile, f.duplicates) for f in world.engine.carriers()] == [("unknown", 1)]


def test_a_poll_that_hears_a_known_word_again_counts_no_duplicate(world: World) -> None:
    world.simulator.carrier_says("Hello!", [("sent", None)])
    world.replied(world.opened(), "Hello!")
    world.simulator.deliver()
    for _ in range(3):
        world.clock.forward(hours=1)
        world.engine.drain()
    assert world.simulator.count("listDeliveryStatus") == 3
    assert world.engine.carriers() == []


@pytest.mark.parametrize("hours", [23.99, 24.01, 48, 76])
def test_a_repeat_never_advances_inside_or_outside_the_window(world: World, hours: float) -> None:
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "failed", *PERMANENT)
    world.replied(identity, "another")
    events = len(world.engine.history(identity))
    world.clock.forward(hours=hours)
    assert world.says(message, "failed", *PERMANENT).duplicate
    assert len(world.engine.history(identity)) == events
    assert world.state(identity) == "awaiting_delivery"


def test_the_same_status_with_a_final_code_turns_a_planned_retry_into_a_failure(
    world: World,
) -> None:
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "failed", *TRANSIENT)
    receipt = world.says(message, "failed", *PERMANENT)
    assert receipt.duplicate
    assert world.state(identity) == "failed"
    world.clock.forward(hours=1)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "Hello!"]


def test_the_same_status_with_another_passing_code_changes_nothing(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "failed", *TRANSIENT)
    events = len(world.engine.history(identity))
    assert world.says(message, "failed", *UNLISTED).duplicate
    assert len(world.engine.history(identity)) == events
    world.clock.forward(seconds=60)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "Hello!", "Hello!"]


def test_an_operator_can_give_a_dead_resend_another_go(world: World) -> None:
    from sms_fsm.simulator import Fault

    identity = world.opened()
    message = world.replied(identity, key="k")
    world.says(message, "failed", *TRANSIENT)
    world.simulator.fault(Fault(operation="postMessage", kind="status", status=400))
    world.clock.forward(seconds=60)
    world.engine.drain()
    assert world.state(identity) == "failed"
    [dead] = world.engine.dead_letters()
    world.engine.retry(dead.id)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "Hello!", "Hello!"]
    assert world.state(identity) == "awaiting_delivery"
    world.says(world.message(identity, "k"), "delivered")
    assert world.state(identity) == "delivered"
