"""Callbacks that came too early, figures by carrier, and forgetting what is over."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sms_fsm.ports import UnitOfWork

from .shelf import NOW, Shelf, a_step, at_once, held

_LATER = NOW + timedelta(days=7)


def test_parked_callbacks_come_back_once_in_order_of_arrival(shelf: Shelf) -> None:
    for status in ("sent", "queued", "delivered"):
        kept = shelf.repository.write(
            lambda uow, status=status: uow.park("msg-1", {"status": status}, expires_at=_LATER)  # type: ignore[misc]  # bound now
        )
        assert kept
    shelf.repository.write(lambda uow: uow.park("msg-2", {"status": "sent"}, expires_at=_LATER))
    found = shelf.repository.write(lambda uow: uow.unpark("msg-1"))
    assert [data["status"] for data in found] == ["sent", "queued", "delivered"]
    assert shelf.repository.write(lambda uow: uow.unpark("msg-1")) == ()


def test_the_same_callback_is_parked_once(shelf: Shelf) -> None:
    def park(uow: UnitOfWork) -> bool:
        return uow.park("msg-1", {"status": "sent", "code": None}, expires_at=_LATER)

    assert shelf.repository.write(park)
    assert not shelf.repository.write(park)
    assert len(shelf.repository.write(lambda uow: uow.unpark("msg-1"))) == 1


def test_the_same_callback_from_many_threads_is_parked_once(shelf: Shelf) -> None:
    def park(uow: UnitOfWork) -> bool:
        return uow.park("msg-1", {"status": "sent"}, expires_at=_LATER)

    assert at_once([partial(shelf.repository.write, park)] * 6).count(True) == 1


def test_what_is_over_is_forgotten_in_bites(shelf: Shelf) -> None:
    def fill(uow: UnitOfWork) -> None:
        for number in range(5):
            key = f"key-{number}"
            uow.remember(key, digest="", conversation="c", seq=1, now=NOW, expires_at=_LATER)
            uow.park("msg", {"status": str(number)}, expires_at=_LATER)
        uow.remember("for ever", digest="", conversation="c", seq=1, now=NOW)
        uow.park("msg", {"status": "young"}, expires_at=_LATER + timedelta(days=1))

    shelf.repository.write(fill)

    def forget() -> int:
        return shelf.repository.write(lambda uow: uow.forget(_LATER, limit=2))

    assert [forget() for _ in range(4)] == [4, 4, 2, 0]
    assert shelf.repository.write(lambda uow: uow.known("for ever", _LATER)) is not None
    assert [d["status"] for d in shelf.repository.write(lambda uow: uow.unpark("msg"))] == ["young"]


def test_nothing_is_forgotten_before_its_time(shelf: Shelf) -> None:
    def fill(uow: UnitOfWork) -> None:
        uow.remember("key", digest="", conversation="c", seq=1, now=NOW, expires_at=_LATER)
        uow.park("msg", {}, expires_at=_LATER)

    shelf.repository.write(fill)
    just_before = _LATER - timedelta(microseconds=1)
    assert shelf.repository.write(lambda uow: uow.forget(just_before, limit=100)) == 0


def test_figures_add_up_over_conversations_and_threads(shelf: Shelf) -> None:
    def count(number: int) -> None:
        shelf.repository.write(lambda uow: uow.count("att", "duplicate", f"c-{number}"))

    at_once(partial(count, number) for number in range(8))
    shelf.repository.write(lambda uow: uow.count(None, "failed", "c-1"))
    shelf.repository.write(lambda uow: uow.count("att", "delivered", "c-1"))
    att, unknown = shelf.queries.carriers()
    assert (att.profile, att.duplicates, att.delivered, att.failed) == ("att", 8, 1, 0)
    assert (unknown.profile, unknown.failed) == ("unknown", 1)


def test_a_posted_message_is_found_by_its_id(shelf: Shelf) -> None:
    shelf.create()

    def post(uow: UnitOfWork) -> None:
        data = {"message": 1, "part": 2, "message_id": "msg-1"}
        step = a_step(held(uow, "c-1"), data=data, conversation_id="conv-1")
        uow.append(step)
        uow.register_post(step)
        uow.register_post(step)

    shelf.repository.write(post)
    found = shelf.repository.write(lambda uow: uow.post("msg-1"))
    assert found is not None
    assert (found.conversation, found.message, found.part) == ("c-1", 1, 2)
    assert found.conversation_id == "conv-1"
    assert shelf.repository.write(lambda uow: uow.post("msg-2")) is None
    assert shelf.queries.posted_in("msg-1") == "conv-1"


def test_a_cxone_conversation_is_found_by_its_id_and_known_to_be_held(shelf: Shelf) -> None:
    shelf.create("c-1")
    shelf.create("c-2", customer="+15550000002")
    shelf.happens(conversation_id="conv-1")

    def look(uow: UnitOfWork) -> tuple[str | None, frozenset[str], frozenset[str]]:
        return (
            uow.with_conversation_id("conv-1"),
            uow.held_by_others("c-1", ["conv-1", "conv-2"]),
            uow.held_by_others("c-2", ["conv-1", "conv-2"]),
        )

    assert shelf.repository.write(look) == ("c-1", frozenset(), frozenset({"conv-1"}))
