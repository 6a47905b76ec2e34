"""State, log, inbox and outbox change together; conversations are taken one after another."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, text

from sms_fsm.conversation import Conversation
from sms_fsm.effects import EffectState, Lane
from sms_fsm.log import chained
from sms_fsm.machine import Step
from sms_fsm.ports import UnitOfWork
from sms_fsm.store import open_database
from sms_fsm.store.database import Conflict

from .shelf import (
    BUSINESS,
    CUSTOMER,
    NOW,
    Shelf,
    a_conversation,
    a_step,
    a_text,
    an_effect,
    at_once,
    held,
    opened,
)


class _Broken(Exception):
    """Something went wrong in the middle."""


def _everything(uow: UnitOfWork) -> None:
    conversation = held(uow, "c-1")
    uow.remember("key", digest="d", conversation="c-1", seq=1, now=NOW)
    uow.append(
        a_step(
            conversation,
            an_effect("PostMessage"),
            an_effect("PollDelivery", Lane.BESIDE),
            data={"message": 1, "part": 0, "message_id": "msg-1"},
            state="active",
            conversation_id="conv-1",
            messages=(a_text(1),),
        ),
        text="hello",
    )
    uow.park("msg-9", {"status": "delivered"}, expires_at=NOW)
    uow.count("carrier", "delivered", "c-1")


def _last(uow: UnitOfWork) -> Step:
    data = {"message": 1, "part": 0, "message_id": "msg-1"}
    return a_step(held(uow, "c-1"), name="MessagePosted", data=data)


def test_one_transaction_stores_state_log_text_inbox_and_outbox(shelf: Shelf) -> None:
    shelf.create()
    shelf.repository.write(_everything)
    stored = shelf.queries.conversation("c-1")
    assert stored is not None
    assert (stored.state, stored.conversation_id, stored.seq) == ("active", "conv-1", 1)
    assert [message.text for message in stored.messages] == ["hello"]
    assert [event.name for event in shelf.queries.history("c-1")] == ["Happened"]
    assert shelf.outbox() == {"PostMessage": "pending", "PollDelivery": "pending"}
    known = shelf.repository.write(lambda uow: uow.known("key", NOW))
    assert known is not None
    assert (known.digest, known.conversation, known.seq) == ("d", "c-1", 1)


def test_an_exception_in_the_middle_leaves_nothing(shelf: Shelf) -> None:
    shelf.create()

    def break_off(uow: UnitOfWork) -> None:
        _everything(uow)
        raise _Broken

    with pytest.raises(_Broken):
        shelf.repository.write(break_off)
    stored = shelf.queries.conversation("c-1")
    assert stored is not None
    assert (stored.state, stored.seq, stored.messages) == ("new", 0, ())
    assert shelf.queries.history("c-1") == []
    assert shelf.outbox() == {}
    assert shelf.queries.carriers() == []
    assert shelf.repository.write(lambda uow: uow.known("key", NOW)) is None
    assert shelf.repository.write(lambda uow: uow.unpark("msg-9")) == ()


def test_of_threads_that_write_together_one_that_fails_is_rolled_back_alone(shelf: Shelf) -> None:
    shelf.create()

    def take_part(number: int) -> str:
        def work(uow: UnitOfWork) -> None:
            uow.append(a_step(held(uow, "c-1"), data={"number": number}))
            if number == 3:
                raise _Broken

        try:
            shelf.repository.write(work)
        except _Broken:
            return "failed"
        return "stored"

    assert at_once(partial(take_part, number) for number in range(8)).count("failed") == 1
    stored = [event.data["number"] for event in shelf.queries.history("c-1")]
    assert sorted(stored) == [0, 1, 2, 4, 5, 6, 7]


def test_a_conflict_runs_the_whole_transaction_again_and_stores_it_once(shelf: Shelf) -> None:
    shelf.create()
    runs = []

    def meet_another_once(uow: UnitOfWork) -> None:
        runs.append(1)
        _everything(uow)
        if len(runs) == 1:
            raise Conflict

    shelf.repository.write(meet_another_once)
    assert len(runs) == 2
    assert [event.seq for event in shelf.queries.history("c-1")] == [1]


def _find_or_create(uow: UnitOfWork, identity: str) -> Conversation:
    found = uow.lock_pair(CUSTOMER, BUSINESS, "")
    return found or uow.create(a_conversation(identity), NOW)


def test_threads_that_create_one_pair_at_once_get_one_conversation(shelf: Shelf) -> None:
    got = at_once(
        partial(shelf.repository.write, partial(_find_or_create, identity=f"c-{number}"))
        for number in range(8)
    )
    assert len({conversation.id for conversation in got}) == 1
    assert len(shelf.queries.conversations(None, None, 100)) == 1


def test_isolation_splits_a_pair(shelf: Shelf) -> None:
    shelf.create("c-1", isolation="sales")
    shelf.create("c-2", isolation="support")
    found = shelf.repository.write(lambda uow: uow.lock_pair(CUSTOMER, BUSINESS, "support"))
    assert found is not None
    assert found.id == "c-2"


def test_a_conversation_that_is_not_there_cannot_be_locked(shelf: Shelf) -> None:
    assert shelf.repository.write(lambda uow: uow.lock("nobody")) is None
    assert shelf.repository.write(lambda uow: uow.lock_pair("+1", "+2", "")) is None


def test_events_of_one_conversation_come_one_after_another(shelf: Shelf) -> None:
    shelf.create()
    at_once([partial(shelf.happens, an_effect("Work"))] * 8)
    assert [event.seq for event in shelf.queries.history("c-1")] == list(range(1, 9))
    states = [effect.state for effect in shelf.queries.effects("c-1")]
    assert states.count(EffectState.PENDING) == 1
    assert states.count(EffectState.QUEUED) == 7


def test_stores_opened_apart_wait_for_each_other(database_url: str, shelf: Shelf) -> None:
    shelf.create()
    others = [Shelf(open_database(database_url)) for _ in range(4)]
    at_once(partial(other.happens) for other in others for _ in range(3))
    for other in others:
        other.database.close()
    assert [event.seq for event in shelf.queries.history("c-1")] == list(range(1, 13))


def test_each_event_continues_the_hash_of_the_one_before(shelf: Shelf) -> None:
    shelf.create()
    for name in ("First", "Second", "Third"):
        shelf.happens(name=name)
    previous = ""
    for record, stored in shelf.queries.log(conversation="c-1"):
        previous = chained(previous, record)
        assert stored == previous
    assert previous


def test_a_transaction_that_locks_twice_keeps_what_it_decided(shelf: Shelf) -> None:
    shelf.create()

    def two_steps(uow: UnitOfWork) -> None:
        uow.append(a_step(held(uow, "c-1"), an_effect("First")))
        uow.append(a_step(held(uow, "c-1"), an_effect("Second")))

    shelf.repository.write(two_steps)
    assert shelf.outbox() == {"First": "pending", "Second": "queued"}


def test_a_transaction_sees_what_it_wrote(shelf: Shelf) -> None:
    def write_and_look(uow: UnitOfWork) -> None:
        uow.create(a_conversation(), NOW)
        _everything(uow)
        uow.register_post(_last(uow))
        conversation = held(uow, "c-1")
        assert (conversation.state, conversation.seq) == ("active", 1)
        assert uow.lock_pair(CUSTOMER, BUSINESS, "") == conversation
        assert uow.with_conversation_id("conv-1") == "c-1"
        assert uow.held_by_others("c-2", ["conv-1"]) == {"conv-1"}
        message = uow.message("c-1", 1, text=True)
        assert message is not None
        assert message.text == "hello"
        post = uow.post("msg-1")
        assert post is not None
        assert (post.conversation, post.conversation_id) == ("c-1", "conv-1")
        effect = uow.effect("c-1:1:0")
        assert effect is not None
        assert effect.name == "PostMessage"
        assert "Happened" in uow.logged("c-1", 1)
        known = uow.known("key", NOW)
        assert known is not None
        assert known.digest == "d"
        assert len(uow.unpark("msg-9")) == 1

    shelf.repository.write(write_and_look)


# The inbox


def _take_in(uow: UnitOfWork, digest: str) -> bool:
    if uow.known("key", NOW) is not None:
        return False
    uow.remember("key", digest=digest, conversation="c-1", seq=1, now=NOW)
    return True


def test_one_of_many_threads_takes_a_key_in(shelf: Shelf) -> None:
    took = at_once(
        partial(shelf.repository.write, partial(_take_in, digest=str(number)))
        for number in range(8)
    )
    assert took.count(True) == 1


def test_a_key_that_another_host_takes_in_meanwhile_is_taken_in_once(
    impatient_postgres: Shelf,
) -> None:
    url = impatient_postgres.database.engine.url.render_as_string(hide_password=False)
    with opened(url) as other:
        took: list[bool] = []

        def be_overtaken(uow: UnitOfWork) -> bool:
            if uow.known("key", NOW) is not None:
                return False
            took.append(other.repository.write(partial(_take_in, digest="theirs")))
            uow.remember("key", digest="ours", conversation="c-1", seq=1, now=NOW)
            return True

        assert not impatient_postgres.repository.write(be_overtaken)
        assert took == [True]


def test_a_key_is_known_until_its_time_is_over(shelf: Shelf) -> None:
    end = NOW + timedelta(hours=24)
    shelf.repository.write(
        lambda uow: uow.remember(
            "key", digest="d", conversation="c-1", seq=1, now=NOW, expires_at=end
        )
    )
    just_before = end - timedelta(microseconds=1)
    assert shelf.repository.write(lambda uow: uow.known("key", just_before)) is not None
    assert shelf.repository.write(lambda uow: uow.known("key", end)) is None


def test_a_key_whose_time_is_over_may_be_taken_in_again(shelf: Shelf) -> None:
    def take_in(uow: UnitOfWork) -> None:
        uow.remember("key", digest="d", conversation="c-1", seq=1, now=NOW, expires_at=NOW)

    shelf.repository.write(take_in)
    shelf.repository.write(take_in)


# Reading


def test_readers_see_one_moment(shelf: Shelf) -> None:
    shelf.create()

    def count_around_a_write(connection: Connection) -> tuple[int, int]:
        counting = text("SELECT count(*) FROM event_log")
        before = connection.execute(counting).scalar_one()
        shelf.happens()
        return before, connection.execute(counting).scalar_one()

    assert shelf.database.read(count_around_a_write) == (0, 0)
    assert len(shelf.queries.history("c-1")) == 1


def test_the_store_gives_what_an_effect_is_about(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("PostMessage", message=1), messages=(a_text(1),), text="hello")
    subject = shelf.repository.subject(shelf.claim_one())
    assert subject.conversation.id == "c-1"
    assert subject.message is not None
    assert subject.message.text == "hello"
