"""CONTRACT §5.2 and §5.3, and what follows §5.13: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from journeys import conversations_of, number, operations, pass_time, remote, retry_all, texts
from sqlalchemy import text
from world import BUSINESS, CUSTOMER, World

from sms_fsm.simulator import Fault
from sms_fsm.store import open_database

TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "503 before": {"kind": "status", "status": 503},
    "503 after": {"kind": "status", "status": 503, "applied": 1},
    "answer lost": {"kind": "reset"},
    "reset before": {"kind": "reset", "applied": 0},
    "429": {"kind": "status", "status": 429, "retry_after": 7},
    "401": {"kind": "status", "status": 401},
    "400": {"kind": "status", "status": 400},
}
AMBIGUOUS = {"503 before", "503 after", "answer lost", "reset before"}
ROWS = [(trouble, times) for trouble in TROUBLES for times in (1, 3)]
OPENING = ("findConversations", "createConversation")
LATER = (
    "getConversation",
    "updateConversation",
    "updateRouting",
    "postMessage",
    "listMessages",
    "listDeliveryStatus",
)


def _trouble(world: World, operation: str, row: tuple[str, int], containing: str = "") -> None:
    trouble, times = row
    world.simulator.fault(
        Fault(
            operation,
            **TROUBLES[trouble],
            times=times,
            containing=containing,
            label=f"{trouble}, {times} times",
        )
    )


def _open_all(world: World) -> dict[tuple[str, int], str]:
    """One customer for each row; gives the engine's ids."""
    receipts = {row: world.text("one", from_=number(n)) for n, row in enumerate(ROWS)}
    return {row: str(receipt.conversation) for row, receipt in receipts.items()}


def _go_through_all_operations(world: World, identity: str) -> None:
    """Reactivation, posts both ways, a hand-over and, later on, a poll."""
    world.simulator.archive(remote(world, identity))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.transfer(identity, key="k-3", queue_id="queue_billing")
    world.text("three", from_=world.conversation(identity).customer)


def _outcome(world: World, identity: str) -> tuple[int, list[str], Any]:
    """How many conversations there are, the texts in them, and where they are routed."""
    found = conversations_of(world.simulator, world.conversation(identity).customer)
    posted = [said for conversation in found for said in texts(world.simulator, _id(conversation))]
    return len(found), posted, found[-1]["routing"].get("queue_id")


def _id(conversation: Mapping[str, Any]) -> str:
    return str(conversation["conversationId"])


def _chances(operation: str, trouble: str) -> int:
    """How often a trouble can strike: what was applied is found, and not called again."""
    if trouble not in ("503 after", "answer lost"):
        return 3
    return {"createConversation": 1, "updateConversation": 1, "postMessage": 2}.get(operation, 3)


def _assert_all_struck(world: World, operation: str) -> None:
    struck = {f"{trouble}, {n} times": min(n, _chances(operation, trouble)) for trouble, n in ROWS}
    fired = world.simulator.fired
    assert {name: fired[name] for name in struck} == struck


def _dying(operation: str) -> set[tuple[str, int]]:
    """The rows that end in a dead letter. The look-up right after a lost answer is optional."""
    return {("400", 3)} if operation == "listMessages" else {("400", 1), ("400", 3)}


def _dead(world: World, identities: Mapping[tuple[str, int], str]) -> set[tuple[str, int]]:
    dead = {effect.conversation for effect in world.engine.dead_letters()}
    return {row for row, identity in identities.items() if identity in dead}


@pytest.mark.parametrize("operation", OPENING)
def test_trouble_while_opening_loses_and_doubles_nothing(world: World, operation: str) -> None:
    for n, row in enumerate(ROWS):
        _trouble(world, operation, row, number(n).removeprefix("+"))
    identities = _open_all(world)
    pass_time(world, times=4)
    assert _dead(world, identities) == _dying(operation)
    retry_all(world)
    _assert_all_struck(world, operation)
    for row, identity in identities.items():
        assert (row, *_outcome(world, identity)) == (row, 1, ["one"], "queue_sms_support_01")
        lost = "AnswerLost" in world.events(identity)
        assert (row, lost) == (row, operation == "createConversation" and row[0] in AMBIGUOUS)
    assert world.simulator.judge().ok


def _lose_a_post(world: World, identity: str) -> None:
    """Messages are listed only to look for one."""
    world.simulator.fault(Fault("postMessage", "reset", containing=remote(world, identity)))


@pytest.mark.parametrize("operation", LATER)
def test_trouble_with_an_open_conversation_loses_and_doubles_nothing(
    world: World, operation: str
) -> None:
    for n, _ in enumerate(ROWS):
        world.simulator.open_conversation(number(n), routing={"queue_id": "queue_support"})
    identities = _open_all(world)
    world.engine.drain()
    for row, identity in identities.items():
        _go_through_all_operations(world, identity)
        _trouble(world, operation, row, remote(world, identity))
        if operation == "listMessages":
            _lose_a_post(world, identity)
    pass_time(world, times=4)
    if operation == "listDeliveryStatus":
        pass_time(world, times=4)
    assert _dead(world, identities) == _dying(operation)
    retry_all(world)
    _assert_all_struck(world, operation)
    for row, identity in identities.items():
        conversations, posted, queue = _outcome(world, identity)
        wanted = ["one", "two", "three"]
        assert (row, conversations, sorted(posted), queue) == (
            row,
            1,
            sorted(wanted),
            "queue_billing",
        )
        assert row[0] == "400" or posted == wanted
        ambiguous = operation == "postMessage" and row[0] in AMBIGUOUS
        lost = "AnswerLost" in world.events(identity)
        assert (row, lost) == (row, ambiguous or operation == "listMessages")
    assert world.simulator.judge().ok


def test_trouble_with_tokens_loses_and_doubles_nothing(world: World) -> None:
    for n, row in enumerate(ROWS):
        world.simulator.revoke_tokens()
        _trouble(world, "issueToken", row)
        identity = str(world.text("one", from_=number(n)).conversation)
        pass_time(world, times=5)
        assert (row, *_outcome(world, identity)) == (row, 1, ["one"], "queue_sms_support_01")
        assert (row, "AnswerLost" in world.events(identity)) == (row, False)
    _assert_all_struck(world, "issueToken")
    assert world.engine.dead_letters() == []
    assert world.simulator.judge().ok


def test_a_platform_that_refuses_connections_is_waited_for(world: World) -> None:
    """No byte left: nothing is ambiguous, even of the two calls that create."""
    port = int(world.simulator.url.rpartition(":")[2])
    waking, talking = world.opened(), str(world.text(from_=number(1)).conversation)
    world.engine.drain()
    world.simulator.archive(remote(world, waking))
    world.simulator.stop()
    world.engine.reply(waking, "two", key="k-2")
    world.engine.reply(talking, "two", key="k-2")
    world.engine.transfer(talking, key="k-3", queue_id="queue_billing")
    fresh = str(world.text("one", from_=number(2)).conversation)
    pass_time(world, times=5)
    world.simulator.start(port)
    pass_time(world, times=5)
    assert world.posted(waking) == world.posted(talking) == ["hi", "two"]
    assert _outcome(world, talking)[2] == "queue_billing"
    assert _outcome(world, fresh) == (1, ["one"], "queue_sms_support_01")
    assert "AnswerLost" not in world.events(talking) + world.events(fresh)
    assert world.simulator.judge().ok


# What is ambiguous, and how it is settled

UNREADABLE: Mapping[str, Mapping[str, Any]] = {
    "408": {"kind": "status", "status": 408, "applied": 1},
    "500": {"kind": "status", "status": 500, "applied": 1},
    "504": {"kind": "status", "status": 504, "applied": 1},
    "HTML": {"kind": "garbage"},
    "no body": {"kind": "empty"},
    "half a body": {"kind": "truncate"},
    "an error as 200": {"kind": "error_body"},
    "no id": {"kind": "no_id"},
    "a number as id": {"kind": "wrong_id"},
    "a time-out": {"kind": "hang"},
}
REFUSALS = (403, 404, 409, 422, 429)


@pytest.mark.parametrize("operation", ["createConversation", "postMessage"])
def test_an_unreadable_answer_to_a_creating_call_is_looked_up_before_anything_is_repeated(
    make_world: Callable[..., World], operation: str
) -> None:
    world = make_world(request_timeout_seconds=0.4)
    world.engine.drain()
    for n, (label, fault) in enumerate(UNREADABLE.items()):
        world.simulator.fault(Fault(operation, **fault, label=label))
        identity = str(world.text(label, from_=number(n)).conversation)
        world.engine.drain()
        assert (label, *_outcome(world, identity)[:2]) == (label, 1, [label])
        assert (label, "AnswerLost" in world.events(identity)) == (label, True)
    assert world.simulator.count(operation) == len(UNREADABLE)
    assert world.simulator.judge().ok


def test_a_refusal_was_not_applied_and_needs_no_look_up(world: World) -> None:
    identity = world.opened()
    for status in REFUSALS:
        world.simulator.fault(Fault("postMessage", "status", status=status))
        world.engine.reply(identity, str(status), key=str(status))
        pass_time(world, times=2)
        retry_all(world)
    assert world.posted(identity) == ["hi", *map(str, REFUSALS)]
    assert world.simulator.count("listMessages") == 0
    assert "AnswerLost" not in world.events(identity)


def test_a_lost_post_is_looked_up_at_once_and_again_when_it_must_have_settled(
    world: World,
) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "reset", applied=0))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    to_its_end = ["listMessages"] * 2
    assert operations(world.simulator)[-3:] == ["postMessage", *to_its_end]
    calls = len(world.simulator.requests)
    world.clock.forward(seconds=59)
    assert world.engine.drain() == 0
    assert len(world.simulator.requests) == calls
    world.clock.forward(seconds=1)
    world.engine.drain()
    assert operations(world.simulator)[-2:] == ["listMessages", "postMessage"]
    assert world.posted(identity) == ["hi", "two"]


def test_settle_seconds_count_from_the_lost_call(make_world: Callable[..., World]) -> None:
    world = make_world(settle_seconds=600)
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "late", late_seconds=599))
    world.engine.reply(identity, "two", key="k-2")
    pass_time(world, times=12, seconds=50)
    assert world.posted(identity) == ["hi", "two"]
    assert world.simulator.count("postMessage") == 2


def test_a_post_that_is_applied_late_is_not_posted_again(world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "late", late_seconds=45))
    world.engine.reply(identity, "two", key="k-2")
    world.text("three")
    pass_time(world, times=4, seconds=30)
    assert world.posted(identity) == ["hi", "two", "three"]
    assert world.simulator.count("postMessage") == 3
    assert world.simulator.judge().ok


def test_a_list_that_lags_behind_is_not_believed_too_early(world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("listMessages", "lag", seconds=30, probability=1))
    world.simulator.fault(Fault("postMessage", "reset"))
    world.engine.reply(identity, "two", key="k-2")
    pass_time(world, times=6, seconds=20)
    assert world.posted(identity) == ["hi", "two"]
    assert world.simulator.count("postMessage") == 2


def _grown(world: World, texts: int) -> str:
    """A conversation of so many texts; gives the engine's id."""
    identity = world.opened("text 0")
    for place in range(1, texts):
        world.text(f"text {place}")
    world.engine.drain()
    return identity


@pytest.mark.parametrize("size", [1, 5, 7])
def test_a_list_that_comes_in_pages_is_looked_through_to_its_end(world: World, size: int) -> None:
    identity = _grown(world, 12)
    world.simulator.fault(Fault("listMessages", "page", size=size, probability=1))
    world.simulator.fault(Fault("postMessage", "reset"))
    world.engine.reply(identity, "lost", key="k-1")
    pass_time(world, times=4)
    assert world.posted(identity)[12:] == ["lost"]
    assert world.simulator.judge().ok


def test_a_post_that_no_page_has_goes_once_more_when_it_must_have_settled(world: World) -> None:
    identity = _grown(world, 6)
    world.simulator.fault(Fault("listMessages", "page", size=2, probability=1))
    world.simulator.fault(Fault("postMessage", "reset", applied=0))
    world.engine.reply(identity, "lost", key="k-1")
    pass_time(world, times=4)
    assert world.posted(identity)[6:] == ["lost"]
    assert world.simulator.judge().ok


def test_a_list_that_never_goes_on_proves_nothing_absent(world: World) -> None:
    """Whether the lost text is behind the cut is unknown: an operator decides, not a guess."""
    identity = _grown(world, 3)
    world.simulator.fault(Fault("listMessages", "first_page", size=2, probability=1))
    world.simulator.fault(Fault("postMessage", "reset"))
    world.engine.reply(identity, "lost", key="k-1")
    pass_time(world, times=30, seconds=3600)
    (dead,) = world.engine.dead_letters()
    assert dead.reason is not None
    assert dead.reason.startswith("listMessages")
    world.simulator.clear_faults()
    world.engine.retry(dead.id)
    pass_time(world, times=2)
    assert world.posted(identity)[3:] == ["lost"]
    assert world.simulator.judge().ok


def test_a_look_up_that_fails_is_repeated_and_nothing_is_posted_before_it(world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("listMessages", "status", status=503, times=4))
    world.simulator.fault(Fault("postMessage", "reset"))
    world.engine.reply(identity, "two", key="k-2")
    pass_time(world, times=5)
    assert world.posted(identity) == ["hi", "two"]
    assert operations(world.simulator, "postMessage", "listMessages")[-6:] == [
        "postMessage",
        *["listMessages"] * 5,
    ]


def test_a_lost_first_part_does_not_hide_behind_the_second(world: World) -> None:
    long = "0123456789" * 320
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "reset", times=2))
    message = world.replied(identity, long, key="long")
    assert len(message.message_ids) == 3
    assert "".join(world.posted(identity)[1:]) == long
    assert world.simulator.judge().ok


# For how long

ENDLESS: Mapping[str, tuple[str, int]] = {
    "find": ("findConversations", 503),
    "create": ("createConversation", 503),
    "create refused": ("createConversation", 429),
    "get": ("getConversation", 503),
    "put": ("updateConversation", 503),
    "route": ("updateRouting", 503),
    "post": ("postMessage", 503),
    "post refused": ("postMessage", 429),
    "poll": ("listDeliveryStatus", 503),
}
EFFECTS = {
    "find": "OpenConversation",
    "create": "OpenConversation",
    "create refused": "OpenConversation",
    "get": "ReactivateConversation",
    "put": "ReactivateConversation",
    "route": "UpdateRouting",
    "post": "PostMessage",
    "post refused": "PostMessage",
    "poll": "PollDelivery",
}


def _begin(world: World, n: int, operation: str, status: int) -> str:
    """A conversation in which one operation fails for ever."""
    if operation in OPENING:
        fault = Fault(operation, "status", status=status, probability=1, containing=f"23{n:04d}")
        world.simulator.fault(fault)
        return str(world.text(from_=number(n)).conversation)
    identity = str(world.text(from_=number(n)).conversation)
    world.engine.drain()
    there = remote(world, identity)
    if operation in ("getConversation", "updateConversation"):
        world.simulator.archive(there)
    world.simulator.fault(
        Fault(operation, "status", status=status, probability=1, containing=there)
    )
    if operation == "updateRouting":
        world.engine.transfer(identity, key="k", queue_id="queue_billing")
    else:
        world.engine.reply(identity, "two", key="k")
    return identity


def test_what_may_pass_is_tried_for_a_day_and_then_is_a_dead_letter(world: World) -> None:
    cases = {name: _begin(world, n, *endless) for n, (name, endless) in enumerate(ENDLESS.items())}
    pass_time(world, times=2, seconds=300)
    pass_time(world, times=4, seconds=5.7 * 3600)
    assert world.engine.dead_letters() == []
    pass_time(world, times=3, seconds=3600)
    dead = {effect.conversation: effect for effect in world.engine.dead_letters()}
    assert {name: dead[identity].name for name, identity in cases.items()} == EFFECTS
    for name, (operation, status) in ENDLESS.items():
        assert f"{operation}: {status}" in str(dead[cases[name]].reason)
    assert len(world.engine.dead_letters()) == len(cases)


@pytest.mark.parametrize("status", [400, 403])
def test_what_can_never_succeed_is_a_dead_letter_at_once(world: World, status: int) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "status", status=status))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    (dead,) = world.engine.dead_letters()
    assert (dead.name, dead.conversation, dead.attempts) == ("PostMessage", identity, 1)
    assert f"postMessage: {status}" in str(dead.reason)
    assert world.message(identity, "k-2").status == "failed"
    assert world.simulator.count("postMessage") == 2


def test_a_conversation_that_is_not_found_is_looked_up_once_and_never_created(
    world: World,
) -> None:
    identity = world.opened()
    world.simulator.vanish(remote(world, identity))
    looked_up = world.simulator.count("findConversations")
    world.engine.reply(identity, "two", key="k-2")
    pass_time(world, times=3)
    (dead,) = world.engine.dead_letters()
    assert "404" in str(dead.reason)
    assert world.simulator.count("findConversations") == looked_up + 1
    assert world.simulator.count("postMessage") == 2
    assert world.simulator.count("createConversation") == 1


def test_a_404_that_passes_costs_one_look_up(world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "status", status=404))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert world.posted(identity) == ["hi", "two"]
    assert world.engine.dead_letters() == []
    assert operations(world.simulator)[-3:] == ["postMessage", "findConversations", "postMessage"]


def test_a_404_of_a_conversation_that_was_archived_meanwhile_loses_nothing(world: World) -> None:
    identity = world.opened()
    world.simulator.archive(remote(world, identity), notify=False)
    world.simulator.fault(Fault("postMessage", "status", status=404))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert world.posted(identity) == ["hi", "two"]
    assert world.engine.dead_letters() == []
    assert world.simulator.count("createConversation") == 1


def test_a_404_is_not_believed_while_the_search_lags_behind_its_conversation(world: World) -> None:
    identity = world.opened()
    ours = remote(world, identity)
    world.simulator.fault(Fault("postMessage", "status", status=404))
    world.simulator.fault(Fault("findConversations", "lag", seconds=60, times=1))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert remote(world, identity) == ours
    assert world.posted(identity) == ["hi", "two"]


def test_a_404_of_one_that_was_closed_meanwhile_has_a_successor_take_over(world: World) -> None:
    identity = world.opened()
    ours = remote(world, identity)
    world.simulator.close(ours)
    world.simulator.fault(Fault("postMessage", "status", status=404))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert remote(world, identity) != ours
    assert world.posted(identity) == ["two"]
    assert world.engine.dead_letters() == []


def test_a_404_of_the_look_at_an_archived_conversation_does_not_stop_its_reactivation(
    world: World,
) -> None:
    identity = world.opened()
    world.simulator.archive(remote(world, identity))
    world.simulator.fault(Fault("getConversation", "status", status=404, times=1))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert world.posted(identity) == ["hi", "two"]
    assert world.engine.dead_letters() == []


def test_a_vanished_conversation_gives_way_to_another_one_that_is_open(world: World) -> None:
    identity = world.opened()
    world.simulator.vanish(remote(world, identity))
    other = world.simulator.open_conversation(CUSTOMER, business_address=BUSINESS)
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    assert remote(world, identity) == other
    assert world.posted(identity) == ["two"]
    assert world.engine.dead_letters() == []


def test_waits_grow_to_the_longest_and_retry_after_is_kept(world: World) -> None:
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", "status", status=429, retry_after=1234))
    world.engine.reply(identity, "two", key="k-2")
    world.engine.drain()
    world.clock.forward(seconds=1233)
    assert world.engine.drain() == 0
    world.clock.forward(seconds=1)
    world.engine.drain()
    assert world.posted(identity) == ["hi", "two"]


def test_what_returned_is_stored_before_anything_is_called(world: World) -> None:
    receipts = [world.text("one"), world.text("two")]
    identity = str(receipts[0].conversation)
    world.engine.reply(identity, "three", key="k-3")
    world.engine.transfer(identity, key="k-4", queue_id="queue_billing")
    assert world.simulator.requests == []
    world.restart()
    world.engine.drain()
    assert world.posted(identity) == ["one", "two", "three"]
    assert _outcome(world, identity)[2] == "queue_billing"


def test_what_a_webhook_was_answered_for_is_stored(world: World) -> None:
    for said in ("one", "two"):
        world.simulator.customer_texts(CUSTOMER, BUSINESS, said)
    world.restart()
    world.engine.drain()
    found = world.engine.find(customer=CUSTOMER)
    assert found is not None
    assert world.posted(found.id) == ["one", "two"]
    assert world.simulator.judge().ok


# Contention


@contextmanager
def _somebody_else_writes(world: World) -> Iterator[None]:
    """Another process is in the middle of a transaction on every conversation."""
    other = open_database(world.settings.database_url)
    try:
        with other.engine.begin() as connection:
            connection.execute(text("UPDATE conversation SET seq = seq"))
            yield
    finally:
        other.close()


def test_a_busy_store_is_waited_out_and_never_becomes_a_due_time(world: World) -> None:
    identity = world.opened("one")
    with ThreadPoolExecutor() as pool:
        with _somebody_else_writes(world):
            reply = pool.submit(world.engine.reply, identity, "two", key="k-2")
            time.sleep(0.3)
            assert not reply.done()
        assert reply.result(10).duplicate is False
        with _somebody_else_writes(world):
            drain = pool.submit(world.engine.drain)
            time.sleep(0.3)
            assert not drain.done()
        assert drain.result(10) == 1
    assert world.posted(identity) == ["one", "two"]
    assert "EffectDelayed" not in world.events(identity)
