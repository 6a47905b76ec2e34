"""Who may see and do what: every route, log-ins, forms from elsewhere, foreign scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from world import World

from sms_fsm.web import create_app
from sms_fsm.web.access import Gate, Lockout
from sms_fsm.web.sessions import COOKIE, Sessions

from .operators import NAME, Operator
from .serving import TOKEN, Client, serving

ANONYMOUS = {
    "sms_fsm.webhook",  # signed
    "sms_fsm.livez",
    "sms_fsm.readyz",
    "sms_fsm.metrics",
    "sms_fsm.page.login",
    "sms_fsm.page.log_in",
    "sms_fsm.page.static",
}
"""Routes that show nothing of conversations to anybody."""


@pytest.fixture
def app(world: World) -> FastAPI:
    return create_app(world.engine, world.settings, worker=False)


@pytest.fixture
def service(app: FastAPI) -> Iterator[Client]:
    with serving(app) as client:
        yield client


@pytest.fixture
def operator(service: Client) -> Operator:
    someone = Operator(service)
    assert someone.log_in().status_code == 303
    return someone


def _flat(routes: Iterable[object]) -> Iterator[APIRoute]:
    """All routes; those of an included router stay with it in newer releases of FastAPI."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _flat(included.routes)
        else:
            assert isinstance(route, APIRoute), route
            yield route


def _routes(app: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Name, method and an address of every route."""
    for route in _flat(app.routes):
        for method in route.methods or ():
            yield route.name, method, re.sub(r"{[^}]+}", "x1", route.path)


def test_every_route_but_the_anonymous_ones_asks_who_you_are(app: FastAPI, service: Client) -> None:
    asked = set()
    for name, method, address in _routes(app):
        answer = service.session.request(
            method, service.url + address, json={}, timeout=10, allow_redirects=False
        )
        if name in ANONYMOUS:
            continue
        asked.add(name)
        to_login = answer.status_code == 303 and answer.headers["Location"].endswith("login")
        assert to_login or answer.status_code in (401, 429), (name, answer.status_code)
    assert len(asked) >= 12


def test_every_anonymous_route_is_there(app: FastAPI) -> None:
    assert {name for name, _, _ in _routes(app)} >= ANONYMOUS


def test_a_right_token_opens_a_session_that_scripts_and_other_sites_cannot_use(
    service: Client,
) -> None:
    answer = Operator(service).log_in()
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie


def test_a_wrong_token_opens_nothing_and_the_sixth_is_429(service: Client) -> None:
    someone = Operator(service)
    assert [someone.log_in("wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert someone.log_in().status_code == 429
    assert "Set-Cookie" not in someone.log_in().headers


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "a\u202eb"])
def test_an_operator_must_say_who_they_are(service: Client, name: str) -> None:
    answer = Operator(service).log_in(name=name)
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


def test_a_log_in_from_another_site_is_refused(service: Client) -> None:
    answer = service.post(
        "/login",
        data={"name": NAME, "token": TOKEN},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("change", ["", "x", "{}.{}", "é", "W10.AAAA"])
def test_a_cookie_that_is_not_ours_is_none(service: Client, change: str) -> None:
    headers = {"Cookie": f"{COOKIE}={change}".encode()}
    assert service.get("/", headers=headers).status_code == 303


def test_one_changed_character_of_a_cookie_ends_it(operator: Operator) -> None:
    cookies = operator.browser.session.cookies
    genuine = str(cookies.get(COOKIE))
    for place in range(0, len(genuine), 7):
        changed = genuine[:place] + ("A" if genuine[place] != "A" else "B") + genuine[place + 1 :]
        answer = Client(operator.browser.url).get("/", headers={"Cookie": f"{COOKIE}={changed}"})
        assert answer.status_code == 303, place


def test_logging_out_ends_the_session_in_this_browser(operator: Operator) -> None:
    assert operator.post("/logout").status_code == 303
    assert operator.browser.get("/").status_code == 303


@pytest.mark.parametrize("path", ["/logout", "/search", "/retry"])
@pytest.mark.parametrize("csrf", [None, "", "wrong", "é"])
def test_a_form_without_the_mark_of_the_session_does_nothing(
    operator: Operator, path: str, csrf: str | None
) -> None:
    fields = {"wanted": "x", "effect": "x", "reason": "x"} | ({"csrf": csrf} if csrf else {})
    assert operator.browser.post(path, data=fields).status_code == 403
    assert operator.browser.get("/").status_code == 200


def test_the_mark_of_another_session_is_not_good_enough(
    operator: Operator, service: Client
) -> None:
    other = Operator(service)
    other.log_in()
    answer = operator.browser.post("/search", data={"csrf": other.csrf(), "wanted": "x"})
    assert answer.status_code == 403


def test_every_page_keeps_foreign_scripts_and_frames_out(operator: Operator, world: World) -> None:
    identity = world.opened()
    pages = ("/", f"/c/{identity}", "/dead-letters", "/carriers", "/graphs", "/login", "/c/nobody")
    for path in pages:
        answer = operator.browser.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", answer.text), path


def test_pages_load_nothing_from_elsewhere(operator: Operator, world: World) -> None:
    page = operator.see(f"/c/{world.opened()}")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert [address for address in addresses if "//" in address] == []


def test_a_session_ends_after_half_a_day_or_with_its_token() -> None:
    present = 0.0
    sessions = Sessions(Gate(SecretStr(TOKEN)), lambda: present)
    cookie = sessions.open(NAME)
    present = 12 * 3600 - 1
    found = sessions.read(cookie)
    assert found is not None
    assert found.name == NAME
    assert Sessions(Gate(SecretStr("another token")), lambda: present).read(cookie) is None
    present += 1
    assert sessions.read(cookie) is None


def test_without_a_token_the_page_is_off_and_says_so(make_world: Callable[..., World]) -> None:
    world = make_world()
    app = create_app(world.engine, world.settings, insecure=True, worker=False)
    with serving(app) as service:
        for path in ("/", "/login", "/graphs"):
            answer = service.get(path)
            assert answer.status_code == 403
            assert "SMS_FSM_API_TOKEN" in answer.text


def test_failures_are_forgotten_after_a_minute() -> None:
    present = 0.0
    lockout = Lockout(lambda: present)
    for _ in range(5):
        lockout.failed("here")
    assert lockout.rest("here") == 60
    assert lockout.rest("elsewhere") == 0
    present = 59.0
    assert lockout.rest("here") == 1
    present = 61.0
    assert lockout.rest("here") == 0


def test_failures_of_many_addresses_do_not_grow_without_bound() -> None:
    lockout = Lockout(lambda: 0.0)
    for number in range(30_000):
        lockout.failed(f"address-{number}")
    assert len(lockout._failures) <= 10_000
