"""CONTRACT §2, `Keys` and `Errors`, and §5.12: bad input changes nothing and says what is wrong."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journeys import graph_with, number, pass_time, remote
from world import BUSINESS, CUSTOMER, World

import sms_fsm
from sms_fsm import (
    Conversation,
    DeliveryStatus,
    Engine,
    InboundMessage,
    InvalidAddress,
    InvalidMessage,
    KeyReused,
    Registry,
    SmsFsmError,
    TransitionRefused,
    UnknownConversation,
    UnknownEffect,
)
from sms_fsm.events import Event
from sms_fsm.simulator import Fault

NO_TEXT = (None, 5, 1.5, True, b"bytes", ["a list"], {"an": "object"})
NO_NAME = ("", "  ", "x" * 256, "a nul \0", "a line\n", "a lone \ud800")
NO_MOMENT = ("yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", 5, datetime(2026, 1, 1))  # noqa: DTZ001 - without a zone on purpose
NO_ADDRESS = (
    *NO_TEXT,
    *NO_NAME,
    *("12", "+", "++15551234567", "+1555123", "+15551234567890123", " 15551234567", "5551234567"),
    *("+1555123456x", "CUSTOMER", "+1555\0234567"),
)
NO_ID = (*NO_TEXT, *NO_NAME, "no-such-id", "c:1:0")

WRONG: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "receive": {
        "message_id": NO_TEXT + NO_NAME,
        "from_": NO_ADDRESS,
        "to": NO_ADDRESS,
        "text": (*NO_TEXT, "a lone \udfff"),
        "timestamp": NO_MOMENT,
        "name": (*NO_TEXT[1:], "a lone \ud800"),
        "external_customer_id": NO_TEXT[1:] + NO_NAME,
        "preferred_language": NO_TEXT[1:] + NO_NAME,
    },
    "initiate": {
        "key": NO_TEXT + NO_NAME,
        "to": NO_ADDRESS,
        "from_": NO_ADDRESS,
        "text": (*NO_TEXT, "", "an escape \x1b", "a lone \udfff"),
        "external_customer_id": NO_TEXT[1:] + NO_NAME,
    },
    "reply": {
        "key": NO_TEXT + NO_NAME,
        "text": (*NO_TEXT, "", "an escape \x1b", "a lone \udfff"),
        "participant_id": NO_TEXT[1:] + NO_NAME,
        "on_behalf_of": NO_TEXT[1:] + NO_NAME,
        "internal_note": (None, 1, "yes"),
    },
    "transfer": {
        "key": NO_TEXT + NO_NAME,
        "queue_id": NO_TEXT[1:] + NO_NAME,
        "agent_id": NO_TEXT[1:] + NO_NAME,
        "skills": (5, "sms", {"a": 1}, ["sms", ""], [None], ["a lone \ud800"]),
        "priority": (1.5, True, "high"),
        "transfer_type": (None, "", "hot", 5, ["warm"]),
    },
    "record": {
        "message_id": NO_TEXT + NO_NAME,
        "conversation_id": NO_TEXT + NO_NAME,
        "status": NO_TEXT + NO_NAME,
        "status_code": NO_TEXT[1:] + NO_NAME,
        "carrier_status": NO_TEXT[1:] + NO_NAME,
        "error_code": NO_TEXT[1:] + NO_NAME,
        "timestamp": NO_MOMENT,
    },
    "archive": {"key": NO_TEXT[1:] + NO_NAME},
    "archived": {"conversation_id": NO_TEXT[1:] + NO_NAME},
    "find": {
        "customer": NO_ADDRESS[1:],
        "business": NO_ADDRESS[1:],
        "external_customer_id": NO_TEXT[1:] + NO_NAME,
    },
    "conversations": {
        "state": NO_TEXT[1:] + NO_NAME,
        "after": NO_TEXT[1:] + NO_NAME,
        "limit": (None, 0, -1, 1001, "50", 1.5, True),
    },
    "drain": {"limit": (-1, "5", 1.5, True)},
    "export_log": {"since": NO_MOMENT},
}


def _good(call: str, identity: str) -> dict[str, Any]:
    """Arguments with which a call is taken."""
    good: dict[str, dict[str, Any]] = {
        "receive": {"message_id": "m-9", "from_": CUSTOMER, "to": BUSINESS, "text": "hi"},
        "initiate": {"to": CUSTOMER, "from_": BUSINESS, "text": "hi", "key": "k-9"},
        "reply": {"conversation": identity, "text": "hi", "key": "k-9"},
        "transfer": {"conversation": identity, "queue_id": "queue_billing", "key": "k-9"},
        "record": {"message_id": "msg-9", "conversation_id": "conv-9", "status": "sent"},
        "archive": {"conversation": identity},
        "archived": {"conversation_id": "conv-9"},
        "find": {},
        "conversations": {},
        "drain": {},
        "export_log": {"file": io.StringIO()},
    }
    return good[call]


def _make(engine: Engine, call: str, arguments: Mapping[str, Any]) -> Any:
    if call == "receive":
        return engine.receive(InboundMessage(**arguments))
    if call == "record":
        return engine.record(DeliveryStatus(**arguments))
    return getattr(engine, call.replace("archived", "archive"))(**arguments)


def _stored(world: World, identity: str) -> tuple[Any, ...]:
    return (
        world.engine.history(identity),
        world.conversation(identity),
        [c.id for c in world.engine.conversations()],
    )


@pytest.mark.parametrize("call", list(WRONG))
def test_a_malformed_argument_is_named_and_nothing_is_stored_or_sent(
    world: World, call: str
) -> None:
    identity = world.opened("one")
    stored, calls = _stored(world, identity), len(world.simulator.requests)
    for field, values in WRONG[call].items():
        for value in values:
            arguments = _good(call, identity) | {field: value}
            with pytest.raises(InvalidMessage) as refused:
                _make(world.engine, call, arguments)
            assert (refused.value.field, value) == (field, value)
            assert str(refused.value) == f"{field}: {refused.value.reason}"
    assert _stored(world, identity) == stored
    assert world.engine.drain() == 0
    assert len(world.simulator.requests) == calls


def test_whatever_is_no_message_at_all_is_refused(world: World) -> None:
    for value in (*NO_TEXT, "text"):
        with pytest.raises(InvalidMessage, match="InboundMessage"):
            world.engine.receive(value)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(InvalidMessage, match="DeliveryStatus"):
            world.engine.record(value)  # type: ignore[arg-type]  # on purpose
    assert world.engine.conversations() == []


def test_a_bad_number_is_an_invalid_address(world: World) -> None:
    with pytest.raises(InvalidAddress) as refused:
        world.text(from_="not a number")
    assert refused.value.field == "from_"


def test_an_unknown_conversation_is_named_as_such_by_every_call(world: World) -> None:
    engine, file = world.engine, io.StringIO()
    calls: list[Callable[[Any], Any]] = [
        lambda identity: engine.reply(identity, "hi", key="k"),
        lambda identity: engine.transfer(identity, key="k", queue_id="q"),
        lambda identity: engine.archive(identity) if identity is not None else engine.history(0),  # type: ignore[arg-type]  # on purpose
        engine.conversation,
        engine.history,
        lambda identity: engine.export_log(file, conversation=identity or ""),
    ]
    for identity in NO_ID:
        for call in calls:
            with pytest.raises(UnknownConversation):
                call(identity)
    assert file.getvalue() == ""
    assert engine.conversations() == []


def test_an_unknown_effect_is_named_as_such(world: World) -> None:
    identity = world.opened()
    history = world.engine.history(identity)
    done = f"{identity}:1:0"
    for effect in (*NO_ID, done):
        with pytest.raises(UnknownEffect):
            world.engine.retry(effect)  # type: ignore[arg-type]  # on purpose
    assert world.engine.history(identity) == history


def test_archive_wants_exactly_one_of_its_two_ids(world: World) -> None:
    identity = world.opened()
    with pytest.raises(InvalidMessage):
        world.engine.archive()
    with pytest.raises(InvalidMessage):
        world.engine.archive(identity, conversation_id=remote(world, identity))
    assert world.state(identity) == "routed"


def test_a_transfer_that_asks_for_nothing_is_refused(world: World) -> None:
    identity = world.opened()
    with pytest.raises(InvalidMessage):
        world.engine.transfer(identity, key="k")
    with pytest.raises(InvalidMessage):
        world.engine.transfer(identity, key="k", skills=[])
    assert "TransferRequested" not in world.events(identity)


def test_a_search_for_nothing_is_refused(world: World) -> None:
    with pytest.raises(InvalidMessage):
        world.engine.find()


anything = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lo"]), max_size=5),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=5),
    st.lists(st.text(max_size=3), max_size=2),
    st.sampled_from([CUSTOMER, BUSINESS, "warm", "cold", "k", "delivered"]),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_the_arguments_a_call_raises_nothing_but_its_own_errors(
    world: World, data: st.DataObject
) -> None:
    call = data.draw(st.sampled_from(list(WRONG)))
    identity = world.text("hi", message_id="first").conversation
    arguments = _good(call, str(identity))
    fields = data.draw(st.lists(st.sampled_from(list(WRONG[call])), min_size=1, unique=True))
    arguments |= {field: data.draw(anything, label=field) for field in fields}
    with suppress(SmsFsmError):
        _make(world.engine, call, arguments)


def test_every_error_is_one_of_ours() -> None:
    named = {
        *("GraphError", "SettingsError", "UnknownConversation", "UnknownEffect", "KeyReused"),
        *("TransitionRefused", "InvalidMessage", "InvalidAddress", "OptedOut"),
        *("StoreUnavailable", "CXoneError"),
    }
    for name in named:
        assert issubclass(getattr(sms_fsm, name), SmsFsmError)


# Bad input stops nothing else


def test_bad_input_stops_nothing_that_is_under_way(world: World) -> None:
    identity = str(world.text("one").conversation)
    with pytest.raises(InvalidMessage):
        world.engine.reply(identity, "", key="k-2")
    with pytest.raises(InvalidAddress):
        world.text("two", to="nowhere")
    world.engine.reply(identity, "three", key="k-2")
    world.engine.drain()
    assert world.posted(identity) == ["one", "three"]


# Keys


def test_the_same_message_id_twice_is_one_message_even_much_later(world: World) -> None:
    identity = world.text("hi", message_id="m-1").conversation
    world.engine.drain()
    for days in (0, 1, 30, 400):
        world.clock.forward(days=days)
        world.engine.drain()
        receipt = world.text("hi", message_id="m-1")
        assert (receipt.conversation, receipt.duplicate) == (identity, True)
        assert receipt.reason
    assert world.events(str(identity)).count("MessageReceived") == 1


def test_the_same_message_id_with_another_text_is_a_fact_that_says_so(world: World) -> None:
    world.text("hi", message_id="m-1")
    receipt = world.text("ho", message_id="m-1")
    assert receipt.duplicate
    assert receipt.reason == "same message id, other content"
    world.engine.drain()
    assert world.posted(str(receipt.conversation)) == ["hi"]


def test_the_same_key_with_the_same_content_is_one_message_even_much_later(world: World) -> None:
    identity = world.opened("one")
    first = world.engine.reply(identity, "two", key="k")
    world.engine.drain()
    world.clock.forward(days=400)
    world.restart()
    again = world.engine.reply(identity, "two", key="k")
    assert (first.duplicate, again.duplicate) == (False, True)
    world.engine.drain()
    assert world.posted(identity) == ["one", "two"]


def test_the_same_key_with_other_content_is_refused(world: World) -> None:
    identity = world.opened("one")
    wanted: dict[str, Any] = {"conversation": identity, "text": "two", "key": "k"}
    world.engine.reply(**wanted)
    history = world.engine.history(identity)
    others: list[dict[str, Any]] = [
        {"text": "three"},
        {"participant_id": "agent-2"},
        {"on_behalf_of": "agent-id-2"},
        {"internal_note": True},
    ]
    for other in others:
        with pytest.raises(KeyReused):
            world.engine.reply(**(wanted | other))
    assert world.engine.history(identity) == history
    world.engine.drain()
    assert world.posted(identity) == ["one", "two"]


def test_one_key_is_not_used_for_two_kinds_of_calls(world: World) -> None:
    identity = world.opened("one")
    world.engine.reply(identity, "two", key="k")
    with pytest.raises(KeyReused):
        world.engine.transfer(identity, key="k", queue_id="queue_billing")
    with pytest.raises(KeyReused):
        world.engine.archive(identity, key="k")
    assert world.engine.transfer(identity, key="t", queue_id="queue_billing").duplicate is False
    assert world.engine.transfer(identity, key="t", queue_id="queue_billing").duplicate is True
    with pytest.raises(KeyReused):
        world.engine.transfer(identity, key="t", queue_id="queue_support")


def test_a_key_belongs_to_its_conversation(world: World) -> None:
    one, two = world.opened("hi"), str(world.text("hi", from_=number(1)).conversation)
    assert world.engine.reply(one, "for one", key="k").duplicate is False
    assert world.engine.reply(two, "for two", key="k").duplicate is False
    world.engine.drain()
    assert world.posted(two) == ["hi", "for two"]


def test_the_key_of_an_outreach_belongs_to_the_engine(world: World) -> None:
    wanted = {"to": CUSTOMER, "from_": BUSINESS, "text": "Sale!", "key": "k"}
    first = world.engine.initiate(**wanted)
    assert world.engine.initiate(**wanted).duplicate is True
    for other in ({"to": number(1)}, {"from_": "+18885550199"}, {"text": "Sold!"}):
        with pytest.raises(KeyReused):
            world.engine.initiate(**(wanted | other))
    with pytest.raises(KeyReused):
        world.engine.initiate(**wanted, external_customer_id="CUST-1")
    assert world.engine.reply(str(first.conversation), "more", key="k").duplicate is False
    world.engine.drain()
    assert world.posted(str(first.conversation)) == ["Sale!", "more"]
    assert len(world.engine.conversations()) == 1


def test_an_archival_with_a_key_happens_once(world: World) -> None:
    identity = world.opened()
    assert world.engine.archive(identity, key="k").duplicate is False
    world.text("back")
    world.engine.drain()
    assert world.engine.archive(identity, key="k").duplicate is True
    assert world.state(identity) == "routed"


# Commands can be refused, facts never are


def _never(_: Conversation, __: Event) -> bool:
    return False


def test_a_refused_command_names_state_event_and_guard(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    registry = Registry()
    registry.guard("office_hours", _never)
    guarded = "    on: TransferRequested\n    when: [office_hours]\n    do: [update_routing]"
    graph = graph_with(tmp_path, ("    on: TransferRequested\n    do: [update_routing]", guarded))
    world = make_world(registry=registry, graph=graph)
    identity = world.opened()
    with pytest.raises(TransitionRefused) as refused:
        world.engine.transfer(identity, key="k", queue_id="queue_billing")
    error = refused.value
    assert (error.state, error.event, error.guard) == (
        "routed",
        "TransferRequested",
        "office_hours",
    )
    assert world.engine.history(identity)[-1].refused
    assert world.engine.drain() == 0
    assert world.simulator.count("updateRouting") == 1


def test_facts_are_never_refused_and_say_so_in_their_reason(world: World) -> None:
    word = DeliveryStatus(message_id="msg-9", conversation_id="conv-9", status="delivered")
    parked = world.engine.record(word)
    assert (parked.conversation, parked.state, parked.duplicate) == (None, None, False)
    assert str(parked.reason).startswith("parked")
    assert world.engine.record(word).duplicate is True
    unknown = world.engine.archive(conversation_id="conv-9")
    assert (unknown.conversation, unknown.reason) == (None, "unknown conversation")
    identity = world.opened()
    world.engine.archive(identity)
    assert world.engine.archive(conversation_id=remote(world, identity)).state == "archived"


def test_a_receipt_shows_the_state_before_anything_is_carried_out(world: World) -> None:
    assert world.text().state == "new"
    world.engine.drain()
    assert world.text("again").state == "routed"


# Nothing tells what was said, or to whom

TOLD = "canary body 8c1f"
SECRETS = (TOLD, CUSTOMER[1:], BUSINESS[1:], CUSTOMER[2:], "Canary Name", "demo-secret")


def _broken_look_up(address: str) -> str:
    raise ValueError(address)


def _troubled_journey(world: World) -> str:
    """Everything that is logged: lost answers, dead letters, conflicts, broken host functions."""
    identity = str(world.text(TOLD, name="Canary Name").conversation)
    world.simulator.fault(Fault("createConversation", "reset"))
    world.simulator.fault(Fault("postMessage", "garbage"))
    world.simulator.fault(Fault("postMessage", "status", status=400, nth=4))
    pass_time(world, times=3)
    world.simulator.archive(remote(world, identity), notify=False)
    world.engine.reply(identity, TOLD, key="k")
    world.simulator.revoke_tokens()
    pass_time(world, times=3)
    for effect in world.engine.dead_letters():
        world.engine.retry(effect.id)
    message = world.replied(identity, TOLD)
    world.says(message, "failed", None, None, "30005")
    pass_time(world, times=3)
    return identity


def _refusals(world: World, identity: str) -> list[SmsFsmError]:
    acts: list[Callable[[], Any]] = [
        lambda: world.engine.reply(identity, TOLD + "\x1b", key="k-8"),
        lambda: world.engine.reply(identity, TOLD + " again", key="k"),
        lambda: world.text(TOLD + "\ud800"),
        lambda: world.text(TOLD, from_=f"{CUSTOMER}0000000"),
        lambda: world.text(TOLD, to=f"x{BUSINESS}"),
        lambda: world.engine.find(customer=CUSTOMER * 9),
    ]
    errors = []
    for act in acts:
        with pytest.raises(SmsFsmError) as refused:
            act()
        errors.append(refused.value)
    return errors


def test_no_log_error_repr_or_export_shows_a_text_a_number_or_a_secret(
    make_world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def fallback(failed: Any) -> None:
        raise ValueError(failed.text, failed.customer)

    world = make_world(fallback=fallback, carrier_lookup=_broken_look_up)
    identity = _troubled_journey(world)
    exported = io.StringIO()
    world.engine.export_log(exported)
    conversation = world.conversation(identity)
    shown = [
        *(caplog.handler.format(record) + repr(vars(record)) for record in caplog.records),
        *(f"{error!s} {error!r}" for error in _refusals(world, identity)),
        repr(conversation),
        repr(conversation.messages),
        repr(world.engine.history(identity)),
        repr(world.engine.dead_letters()),
        repr(InboundMessage(message_id="m", from_=CUSTOMER, to=BUSINESS, text=TOLD)),
        repr(world.settings),
        exported.getvalue(),
    ]
    assert conversation.messages[0].text == TOLD
    assert len(caplog.records) > 50
    told = [(secret, text) for secret in SECRETS for text in shown if secret in text]
    assert told == []
