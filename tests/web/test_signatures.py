"""Signatures: everything malformed is a 401 and stores nothing; keys rotate without a gap."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from world import World

from sms_fsm.errors import SettingsError
from sms_fsm.web import create_app, router

from .serving import SECRET, TOKEN, Client, serving, signed, text

BODY = json.dumps(text("m-1")).encode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of 32 bytes !!!!!").decode()


def _now() -> datetime:
    return datetime.now(UTC)


def _good() -> dict[str, str]:
    return signed(BODY)


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in _good().items() if key != name}


def _with(**changes: str) -> dict[str, str]:
    return _good() | {name.replace("_", "-"): value for name, value in changes.items()}


def _signature() -> str:
    return _good()["webhook-signature"]


def _raw_signature() -> str:
    return _signature().removeprefix("v1,")


MALFORMED: Mapping[str, Callable[[], dict[str, str]]] = {
    "no headers": dict,
    "no id": lambda: _without("webhook-id"),
    "no timestamp": lambda: _without("webhook-timestamp"),
    "no signature": lambda: _without("webhook-signature"),
    "empty id": lambda: _with(webhook_id=""),
    "empty timestamp": lambda: _with(webhook_timestamp=""),
    "empty signature": lambda: _with(webhook_signature=""),
    "other id": lambda: _with(webhook_id="msg_2"),
    "other secret": lambda: signed(BODY, OTHER_SECRET),
    "version 2": lambda: _with(webhook_signature=f"v2,{_raw_signature()}"),
    "version 1a": lambda: _with(webhook_signature=f"v1a,{_raw_signature()}"),
    "version V1": lambda: _with(webhook_signature=f"V1,{_raw_signature()}"),
    "no version": lambda: _with(webhook_signature=_raw_signature()),
    "no comma": lambda: _with(webhook_signature=f"v1{_raw_signature()}"),
    "two commas": lambda: _with(webhook_signature=f"v1,,{_raw_signature()}"),
    "only a comma": lambda: _with(webhook_signature=","),
    "only a version": lambda: _with(webhook_signature="v1,"),
    "not base64": lambda: _with(webhook_signature="v1,%%%"),
    "cut base64": lambda: _with(webhook_signature=_signature()[:-3]),
    "one letter": lambda: _with(webhook_signature="v1,A"),
    "longer": lambda: _with(webhook_signature="v1," + base64.b64encode(b"x" * 64).decode()),
    "zeros": lambda: _with(webhook_signature="v1," + base64.b64encode(bytes(32)).decode()),
    "sha1 length": lambda: _with(webhook_signature="v1," + base64.b64encode(bytes(20)).decode()),
    "not ascii": lambda: _with(webhook_signature="v1,é"),
    "hex": lambda: _with(webhook_signature="v1," + base64.b64decode(_raw_signature()).hex()),
    "100 wrong ones": lambda: _with(webhook_signature=" ".join(["v1,AAAA"] * 100)),
    "1,000 without a comma": lambda: _with(webhook_signature=" ".join(["x"] * 1_000)),
    "right one behind a broken one": lambda: _with(webhook_signature=f"broken {_signature()}"),
    "tabs between": lambda: _with(webhook_signature=f"v1,AAAA\t{_signature()}"),
    "30 kB": lambda: _with(webhook_signature="v1," + "A" * 30_000),
    "301 s old": lambda: signed(BODY, at=_now() - timedelta(seconds=301)),
    "302 s ahead": lambda: signed(BODY, at=_now() + timedelta(seconds=302)),
    "from 1970": lambda: _with(webhook_timestamp="0"),
    "negative time": lambda: _with(webhook_timestamp="-1"),
    "time that is no number": lambda: _with(webhook_timestamp="now"),
    "NaN": lambda: _with(webhook_timestamp="nan"),
    "infinity": lambda: _with(webhook_timestamp="inf"),
    "1e400": lambda: _with(webhook_timestamp="1e400"),
    "a time with 400 digits": lambda: _with(webhook_timestamp="9" * 400),
    "ISO time": lambda: _with(webhook_timestamp=_now().isoformat()),
    "milliseconds": lambda: _with(webhook_timestamp=str(int(_now().timestamp() * 1000))),
    "hexadecimal time": lambda: _with(webhook_timestamp=hex(int(_now().timestamp()))),
    "other time": lambda: _with(webhook_timestamp=str(int(_now().timestamp()) - 10)),
    "white space in the body": lambda: signed(BODY + b" "),
    "other body": lambda: signed(b"{}"),
}


def test_there_are_at_least_forty_ways_to_be_wrong() -> None:
    assert len(MALFORMED) >= 40


def test_whatever_is_malformed_is_401_and_stores_nothing(service: Client, world: World) -> None:
    answers = {
        name: service.post("/webhooks/cxone", data=BODY, headers=make()).status_code
        for name, make in MALFORMED.items()
    }
    assert answers == dict.fromkeys(MALFORMED, 401)
    assert world.engine.conversations() == []


def test_a_body_that_is_no_utf8_is_401(service: Client, world: World) -> None:
    answer = service.post("/webhooks/cxone", data=b"\xff\xfe", headers=_good())
    assert answer.status_code == 401


def test_a_header_of_64_kb_is_refused_without_a_500(service: Client, world: World) -> None:
    headers = _with(webhook_signature="v1," + "A" * 65_536)
    answer = service.post("/webhooks/cxone", data=BODY, headers=headers)
    assert 400 <= answer.status_code < 500
    assert world.engine.conversations() == []


@pytest.mark.parametrize("seconds", [-295, 295])
def test_five_minutes_of_clock_error_are_forgiven(service: Client, seconds: int) -> None:
    headers = signed(BODY, at=_now() + timedelta(seconds=seconds))
    assert service.post("/webhooks/cxone", data=BODY, headers=headers).status_code == 200


def test_several_signatures_of_which_one_fits_are_good(service: Client) -> None:
    headers = _with(webhook_signature=f"v1,AAAA v2,BBBB {_signature()}")
    assert service.post("/webhooks/cxone", data=BODY, headers=headers).status_code == 200


def test_old_and_new_secret_are_good_while_keys_rotate(
    make_world: Callable[..., World],
) -> None:
    world = make_world(webhook_secret=f"{OTHER_SECRET},{SECRET}", api_token=TOKEN)
    with serving(create_app(world.engine, world.settings, worker=False)) as service:
        for number, secret in enumerate((SECRET, OTHER_SECRET)):
            assert service.send(text(f"m-{number}"), secret=secret).status_code == 200


def test_an_old_secret_is_refused_after_the_rotation(make_world: Callable[..., World]) -> None:
    world = make_world(webhook_secret=OTHER_SECRET)
    with serving(create_app(world.engine, world.settings, worker=False)) as service:
        assert service.send(text("m-1"), secret=SECRET).status_code == 401


def test_without_a_secret_the_service_refuses_to_start(make_world: Callable[..., World]) -> None:
    world = make_world()
    for make in (create_app, router):
        with pytest.raises(SettingsError, match="webhook_secret: missing"):
            make(world.engine, world.settings)


def test_unsigned_callbacks_are_taken_when_that_was_asked_for(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    app = create_app(world.engine, world.settings, insecure=True, worker=False)
    with serving(app) as service:
        assert service.post("/webhooks/cxone", data=BODY).status_code == 200
