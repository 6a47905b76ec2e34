"""The JSON API: the calls of the engine under a bearer token, errors with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from world import BUSINESS, CUSTOMER, World

from sms_fsm.web import create_app

from .serving import TOKEN, Client, serving


def test_a_reply_is_stored_and_sent(service: Client, world: World) -> None:
    identity = world.opened()
    answer = service.call(
        "POST", f"/conversations/{identity}/messages", {"text": "Hello!", "key": "k-1"}
    )
    assert answer.status_code == 202
    assert answer.json() == {
        "conversation": identity,
        "duplicate": False,
        "state": "routed",
        "reason": None,
    }
    world.engine.drain()
    assert world.posted(identity)[-1] == "Hello!"


def test_the_same_key_twice_is_one_message(service: Client, world: World) -> None:
    identity = world.opened()
    body = {"text": "Hello!", "key": "k-1"}
    path = f"/conversations/{identity}/messages"
    assert service.call("POST", path, body).json()["duplicate"] is False
    assert service.call("POST", path, body).json()["duplicate"] is True
    assert service.call("POST", path, body | {"text": "Bye!"}).status_code == 409


def test_a_transfer_is_carried_out(service: Client, world: World) -> None:
    identity = world.opened()
    body = {"key": "k-1", "queue_id": "queue_billing", "skills": ["german"], "priority": 2}
    assert service.call("POST", f"/conversations/{identity}/transfer", body).status_code == 202
    world.engine.drain()
    assert world.conversation(identity).routing.queue_id == "queue_billing"


def test_a_conversation_has_the_names_of_the_python_interface(
    service: Client, world: World
) -> None:
    identity = world.opened("hi")
    found = service.call("GET", f"/conversations/{identity}").json()
    assert found.pop("messages")[0]["text"] == "hi"
    assert found == {
        "id": identity,
        "conversation_id": world.conversation(identity).conversation_id,
        "state": "routed",
        "customer": CUSTOMER,
        "business": BUSINESS,
        "external_customer_id": None,
        "routing": {"queue_id": "queue_sms_support_01"},
        "graph_version": 1,
    }


def test_pages_of_conversations_leave_none_out(service: Client, world: World) -> None:
    wanted = [world.text(from_=f"+1555123000{n}").conversation for n in range(5)]
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        query = f"limit=2&after={after}" if after else "limit=2"
        page = service.call("GET", f"/conversations?{query}").json()
        found += [item["id"] for item in page["items"]]
        after = page["next"]
    assert sorted(found) == sorted(map(str, wanted))


def test_conversations_of_one_state_are_listed(service: Client, world: World) -> None:
    world.opened()
    world.text(from_="+15551230001")
    for state, number in (("routed", 1), ("new", 1), ("archived", 0), ("no such state", 0)):
        page = service.call("GET", f"/conversations?state={state}").json()
        assert len(page["items"]) == number


@pytest.mark.parametrize(
    "case",
    [
        ("nobody/messages", {"text": "hi", "key": "k"}, 404, "no conversation"),
        ("%00/messages", {"text": "hi", "key": "k"}, 404, "no conversation"),
        ("ID/messages", {"text": "", "key": "k"}, 400, "text"),
        ("ID/messages", {"text": "hi", "key": ""}, 400, "key"),
        ("ID/messages", {"text": "hi\ud800", "key": "k"}, 400, "text"),
        ("ID/messages", {"text": "hi"}, 422, "body.key"),
        ("ID/messages", {"text": 7, "key": "k"}, 422, "body.text"),
        ("ID/messages", {"text": "hi", "key": "k", "more": 1}, 422, "body.more"),
        ("ID/messages", {"text": "hi", "key": "k", "internal_note": "yes"}, 422, "internal_note"),
        ("ID/transfer", {"key": "k"}, 400, "queue_id"),
        (
            "ID/transfer",
            {"key": "k", "queue_id": "q", "transfer_type": "hot"},
            400,
            "transfer_type",
        ),
        ("ID/transfer", {"key": "k", "priority": "high"}, 422, "priority"),
        ("ID/transfer", [], 422, "body"),
    ],
)
def test_bad_input_is_refused_with_its_reason(
    service: Client, world: World, case: tuple[str, Any, int, str]
) -> None:
    path, body, status, said = case
    identity = world.opened()
    answer = service.call("POST", f"/conversations/{path.replace('ID', identity)}", body)
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert "ReplyRequested" not in world.events(identity)


@pytest.mark.parametrize("name", ["nobody", "%00", "%ED%A0%80", "%F0%9F%92%A9", "'--"])
def test_a_name_that_nothing_has_is_404_or_an_empty_page(service: Client, name: str) -> None:
    assert service.call("GET", f"/conversations/{name}").status_code == 404
    for query in (f"state={name}", f"state=new&after={name}"):
        answer = service.call("GET", f"/conversations?{query}")
        assert answer.status_code == 400 or answer.json()["items"] == []


def test_a_refusal_does_not_repeat_what_was_sent(service: Client, world: World) -> None:
    body = {"text": ["a text that nobody may read"], "key": "k"}
    answer = service.call("POST", f"/conversations/{world.opened()}/messages", body)
    assert answer.status_code == 422
    assert "nobody may read" not in answer.text


def test_an_opted_out_customer_is_not_texted(service: Client, world: World) -> None:
    identity = world.opened()
    world.text("STOP")
    answer = service.call("POST", f"/conversations/{identity}/messages", {"text": "hi", "key": "k"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "OptedOut"


def test_answers_about_conversations_are_not_cached(service: Client, world: World) -> None:
    for path in ("/conversations", f"/conversations/{world.opened()}", "/conversations/nobody"):
        assert service.call("GET", path).headers["Cache-Control"] == "no-store"


def test_a_wrong_token_is_401_and_the_sixth_within_a_minute_is_429(service: Client) -> None:
    codes = [service.call("GET", "/conversations", token=f"t{n}").status_code for n in range(7)]
    assert codes == [401] * 5 + [429] * 2
    locked_out = service.call("GET", "/conversations")
    assert locked_out.status_code == 429
    assert 0 < int(locked_out.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    "header", ["", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer  {TOKEN} x", "Bearer é"]
)
def test_anything_but_the_bearer_token_is_401(service: Client, header: str) -> None:
    answer = service.get("/conversations", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_without_a_token_the_api_is_off_and_says_so(make_world: Callable[..., World]) -> None:
    world = make_world()
    app = create_app(world.engine, world.settings, insecure=True, worker=False)
    with serving(app) as service:
        answer = service.call("GET", "/conversations", token="")
        assert answer.status_code == 403
        assert "SMS_FSM_API_TOKEN" in answer.json()["error"]
