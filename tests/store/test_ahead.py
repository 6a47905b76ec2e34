"""Reading ahead: what is fetched at once is what is read, and is locked in one order for all."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest

from sms_fsm.conversation import Conversation
from sms_fsm.ports import Known, Reads, UnitOfWork
from sms_fsm.store import Repository

from .shelf import BUSINESS, NOW, Shelf, a_step, a_text, at_once, held

_IDS = ("c-1", "c-2", "c-3")


def _pair(identity: str) -> tuple[str, str, str]:
    return f"+1555{identity[-1]:>07}", BUSINESS, ""


def _fill(shelf: Shelf) -> None:
    for identity in _IDS:
        shelf.create(identity, customer=_pair(identity)[0])
        shelf.repository.write(partial(_post, identity=identity))


def _post(uow: UnitOfWork, identity: str) -> None:
    """A text that was posted, and a key."""
    step = a_step(
        held(uow, identity),
        name="MessagePosted",
        data={"message_id": f"msg-{identity}", "message": 1, "part": 0},
        messages=(a_text(1, f"key of {identity}"),),
        conversation_id=f"conv-{identity}",
    )
    uow.append(step, text="hello")
    uow.register_post(step)
    uow.remember(f"key-{identity}", digest="d", conversation=identity, seq=1, now=NOW)


def _wanted(identity: str) -> Reads:
    return Reads(key=f"key-{identity}", message_id=f"msg-{identity}")


def _found(uow: UnitOfWork, identity: str) -> tuple[object, ...]:
    post, message = uow.post(f"msg-{identity}"), uow.message(identity, 1)
    assert post is not None
    assert message is not None
    return uow.lock(identity), uow.known(f"key-{identity}", NOW), post.conversation, message.key


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_read_ahead_is_what_would_have_been_read(shelf: Shelf, count: int) -> None:
    _fill(shelf)
    ids = _IDS[:count]
    plainly = shelf.repository.write(lambda uow: [_found(uow, identity) for identity in ids])
    ahead = shelf.repository.write(
        lambda uow: [_found(uow, identity) for identity in ids], *map(_wanted, ids)
    )
    assert ahead == plainly


@pytest.mark.parametrize("also", [(), ("c-2", "c-3")])
def test_a_conversation_is_found_by_its_pair_and_by_the_id_of_the_platform(
    shelf: Shelf, also: tuple[str, ...]
) -> None:
    _fill(shelf)
    reads = [Reads(key="key-c-1", pair=_pair("c-1"))]
    reads += [Reads(conversation_id=f"conv-{identity}") for identity in also]

    def look(uow: UnitOfWork) -> tuple[Conversation | None, str | None, Known | None]:
        found = uow.lock_pair(*_pair("c-1"))
        return found, uow.with_conversation_id("conv-c-1"), uow.known("key-c-1", NOW)

    conversation, identity, known = shelf.repository.write(look, *reads)
    assert conversation is not None
    assert (conversation.id, identity) == ("c-1", "c-1")
    assert known == Known("d", "c-1", 1)


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_not_there_is_still_made(shelf: Shelf, count: int) -> None:
    names = [f"new-{number}" for number in range(count)]

    def make(uow: UnitOfWork) -> list[Known | None]:
        return [uow.known(name, NOW) for name in names]

    reads = [Reads(key=name, pair=_pair("c-9"), message_id=name) for name in names]
    assert shelf.repository.write(make, *reads) == [None] * count


def test_a_key_that_expired_is_not_known_although_it_was_fetched(shelf: Shelf) -> None:
    shelf.create()
    until = NOW + timedelta(hours=1)
    shelf.repository.write(
        lambda uow: uow.remember(
            "k", digest="d", conversation="c-1", seq=1, now=NOW, expires_at=until
        )
    )
    reads = Reads(key="k", conversation="c-1")
    before, after = (until - timedelta(seconds=1), until)
    assert shelf.repository.write(lambda uow: uow.known("k", before), reads) is not None
    assert shelf.repository.write(lambda uow: uow.known("k", after), reads) is None


def test_arrays_about_the_same_conversations_in_any_order_do_not_deadlock(shelf: Shelf) -> None:
    _fill(shelf)
    gate = threading.Barrier(2, timeout=10)

    def take_in(ids: tuple[str, ...]) -> None:
        def work(uow: UnitOfWork) -> None:
            for identity in ids:
                uow.append(a_step(held(uow, identity)))

        gate.wait()
        for _ in range(10):
            Repository(shelf.database).write(work, *map(_wanted, ids))

    at_once([lambda: take_in(_IDS), lambda: take_in(_IDS[::-1])])
    assert [len(shelf.queries.history(identity)) for identity in _IDS] == [21] * 3
