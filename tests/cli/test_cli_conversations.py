"""list and show."""

from __future__ import annotations

import json

import pytest
from world import BUSINESS, CUSTOMER

from sms_fsm import wording
from sms_fsm.events import MIGRATED
from sms_fsm.registry import OWN_EVENTS

from .conftest import HOSTILE, Run, Stored, digits_of


def listed(run: Run, stored: Stored, *arguments: object) -> list[list[str]]:
    """The words of each row."""
    ran = run("list", "--database-url", stored.url, *arguments)
    assert ran.code == 0
    return [line.split() for line in ran.out.splitlines()[1:]]


def test_conversations_are_listed_oldest_first(run: Run, stored: Stored) -> None:
    assert [row[:2] for row in listed(run, stored)] == [
        [stored.first, "delivered"],
        [stored.second, "new"],
    ]


def test_only_those_in_a_state_are_listed(run: Run, stored: Stored) -> None:
    assert [row[0] for row in listed(run, stored, "--state", "new")] == [stored.second]


def test_pages_follow_each_other(run: Run, stored: Stored) -> None:
    first = run("list", "--limit", 1, "--database-url", stored.url)
    assert f"--after {stored.first}" in first.err

    rows = listed(run, stored, "--limit", 1, "--after", stored.first)
    assert [row[0] for row in rows] == [stored.second]


def test_pages_follow_each_other_in_scripts(run: Run, stored: Stored) -> None:
    arguments = ("list", "--format", "json", "--limit", 1, "--database-url", stored.url)

    first = json.loads(run(*arguments).out)
    second = json.loads(run(*arguments, "--after", first["next"]).out)

    assert [page["items"][0]["id"] for page in (first, second)] == [stored.first, stored.second]
    assert second["next"] is None


def test_an_empty_list_says_so_beside_the_output(run: Run, stored: Stored) -> None:
    ran = run("list", "--state", "archived", "--database-url", stored.url)

    assert (ran.code, ran.out, ran.err) == (0, "", "no conversations\n")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", ["list", "show"])
def test_numbers_are_masked_unless_asked_for(
    run: Run, stored: Stored, command: str, form: str
) -> None:
    identity = [stored.first] if command == "show" else []
    arguments = (command, *identity, "--format", form, "--database-url", stored.url)

    masked, revealed = run(*arguments).out, run(*arguments, "--reveal").out

    for number in (CUSTOMER, BUSINESS):
        assert digits_of(number) not in masked
        assert number in revealed


def test_the_timeline_tells_what_happened_in_order(run: Run, stored: Stored) -> None:
    told = run("show", stored.first, "--database-url", stored.url).out

    sentences = [
        "the customer texted",
        "CXone created conv-",
        "CXone took text",
        "CXone routed it to queue_sms_support_01",
        "a reply was asked for: ticket/1",
        "CXone took reply ticket/1",
        "carrier on reply ticket/1: delivered",
    ]
    places = [told.index(sentence) for sentence in sentences]
    assert places == sorted(places)
    for move in ("new → active", "active → routed", "awaiting_delivery → delivered"):
        assert move in told
    assert "OpenConversation, PostMessage, RouteConversation" in told


def test_texts_are_shown_with_their_status_but_not_their_body(run: Run, stored: Stored) -> None:
    told = run("show", stored.first, "--database-url", stored.url).out

    (row,) = [line for line in told.splitlines() if line.startswith("ticket/1")]
    assert row.split()[:5] == ["ticket/1", "outbound", "delivered", "1", "1"]
    assert "Hello!" not in told


def test_a_hostile_text_neither_moves_the_cursor_nor_forges_a_line(
    run: Run, stored: Stored
) -> None:
    told = run("show", stored.first, "--reveal", "--database-url", stored.url).out

    assert "\x1b" not in told
    assert r"hi\x1b[31m\nsms-fsm: all is well" in told
    assert not any(line.startswith("sms-fsm: all is well") for line in told.splitlines())


def test_a_script_gets_texts_only_when_it_asks_for_them(run: Run, stored: Stored) -> None:
    arguments = ("show", stored.first, "--format", "json", "--database-url", stored.url)

    plain = json.loads(run(*arguments).out)
    revealed = json.loads(run(*arguments, "--reveal").out)

    assert all("text" not in message for message in plain["messages"])
    assert revealed["messages"][0]["text"] == HOSTILE
    assert [event["seq"] for event in plain["history"]] == list(range(1, len(plain["history"]) + 1))


def test_effects_that_wait_are_shown(run: Run, stored: Stored) -> None:
    told = run("show", stored.second, "--database-url", stored.url).out

    assert "Still to come" in told
    for effect in ("OpenConversation", "PostMessage", "RouteConversation"):
        assert effect in told.split("Still to come")[1]


def test_every_event_of_the_engine_has_words() -> None:
    """A sentence of its own, so that nobody has to know the graph."""
    for name in (*OWN_EVENTS, MIGRATED):
        assert name in wording.WORDINGS, name
