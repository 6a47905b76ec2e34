"""Whatever goes into the store comes out the same, on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_fsm.conversation import Routing
from sms_fsm.effects import Lane
from sms_fsm.ports import UnitOfWork
from sms_fsm.values import evolve

from .shelf import NOW, Shelf, a_text, an_effect, held

_ONE_STORE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_ALL_PLANES = "".join(chr(plane * 0x10000 + 0x1F4A) for plane in range(17))


def _stored_text(shelf: Shelf, text: str) -> str | None:
    number = len(shelf.queries.conversations(None, None, 1000))
    identity = f"c-{number}"
    shelf.create(identity, isolation=str(number))
    shelf.happens(identity=identity, messages=(a_text(1),), text=text)
    stored = shelf.queries.conversation(identity)
    assert stored is not None
    return stored.messages[0].text


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\x00b", "\x00", _ALL_PLANES, "\ufeffmark", "e\u0301", "line\r\nline\u2028"],
    ids=["empty", "space", "nul", "only-nul", "planes", "bom", "combining", "lines"],
)
def test_a_text_comes_out_as_it_went_in(shelf: Shelf, text: str) -> None:
    assert _stored_text(shelf, text) == text


@_ONE_STORE
@given(_TEXTS)
def test_any_text_comes_out_as_it_went_in(shelf: Shelf, text: str) -> None:
    assert _stored_text(shelf, text) == text


@_ONE_STORE
@given(_TEXTS)
def test_any_name_comes_out_as_it_went_in(shelf: Shelf, name: str) -> None:
    identity = f"c-{len(shelf.queries.conversations(None, None, 1000))}"
    shelf.create(identity, isolation=identity, name=name, preferred_language=name)
    stored = shelf.queries.conversation(identity)
    assert stored is not None
    assert (stored.name, stored.preferred_language) == (name, name)


def test_any_text_in_event_data_comes_out_as_it_went_in(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Work", data={"note": f"\x00{_ALL_PLANES}"}), data={"n\x00": "\x00"})
    assert shelf.queries.history("c-1")[0].data == {"n\x00": "\x00"}
    assert shelf.claim_one().data == {"note": f"\x00{_ALL_PLANES}"}


_TOKYO = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 0, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=_TOKYO),
        datetime(1999, 12, 31, 23, 59, 59, 5, tzinfo=timezone(-timedelta(hours=11, minutes=30))),
    ],
    ids=str,
)
def test_an_instant_keeps_its_microseconds_and_is_given_in_utc(
    shelf: Shelf, moment: datetime
) -> None:
    shelf.create()
    shelf.happens(an_effect("Work", Lane.BESIDE), at=moment, contacted_at=moment)
    due_at = shelf.effect("Work").due_at
    assert due_at == moment
    assert due_at.utcoffset() == timedelta(0)
    stored = shelf.queries.conversation("c-1")
    assert stored is not None
    assert stored.contacted_at == moment
    assert shelf.queries.history("c-1")[0].at == moment


def test_due_times_from_all_zones_are_compared_as_instants(shelf: Shelf) -> None:
    shelf.create()
    for name, hour, zone in (("Second", 21, _TOKYO), ("First", 11, UTC), ("Third", 13, UTC)):
        at = datetime(2026, 3, 1, hour, tzinfo=zone)
        shelf.happens(an_effect(name, Lane.BESIDE), at=at)
    noon = datetime(2026, 3, 1, 21, tzinfo=_TOKYO)
    assert [effect.name for effect in shelf.claim(now=noon)] == ["First", "Second"]


def test_a_conversation_comes_out_as_its_last_event_left_it(shelf: Shelf) -> None:
    created = shelf.create(isolation="sales", external_customer_id="crm-1", name="Ada")
    step = shelf.happens(
        state="routed",
        conversation_id="conv-1",
        routing=Routing("queue-1", "agent-1", ("billing", "vip"), 3, "warm"),
        participant_id="agent-p-1",
        carrier_profile="att",
        outstanding=2,
        spell=4,
        spell_failed=1,
        opening=True,
        contacted_at=NOW,
        timers=(("IdleElapsed", NOW + timedelta(hours=72)),),
    )
    assert step.before == created
    assert shelf.queries.conversation("c-1") == step.after
    assert shelf.repository.write(lambda uow: held(uow, "c-1")) == step.after


def test_what_customers_tell_of_themselves_is_stored(shelf: Shelf) -> None:
    shelf.create()

    def introduce(uow: UnitOfWork) -> None:
        known = held(uow, "c-1")
        uow.introduce(evolve(known, name="Ada", external_customer_id="crm-1"))

    shelf.repository.write(introduce)
    stored = shelf.queries.conversation("c-1")
    assert stored is not None
    assert (stored.name, stored.external_customer_id) == ("Ada", "crm-1")


def test_a_body_is_loaded_only_when_asked_for(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(messages=(a_text(1),), text="hello")

    def load(uow: UnitOfWork) -> tuple[str | None, str | None]:
        bare, full = uow.message("c-1", 1), uow.message("c-1", 1, text=True)
        assert bare is not None
        assert full is not None
        return bare.text, full.text

    assert shelf.repository.write(load) == (None, "hello")
    assert shelf.repository.write(lambda uow: uow.message("c-1", 2)) is None
