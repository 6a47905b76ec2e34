"""The token: renewed in time and once, kept while it lives, asked for at growing distances."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import responses

from sms_fsm.cxone import CXoneClient, connect
from sms_fsm.errors import CXoneError

from .raw_platform import answering, raw_platform, with_tokens
from .tenant import API, HOST, POST, TOKEN_URL, MovableClock, settings_for
from .token_desk import TokenDesk, call, failing_call
from .wire_file import operation_of

REFUSED = (400, '{"error": "invalid_grant"}')
NO_CLIENT = (401, '{"error": "invalid_client"}')
BROKEN = (503, "")


def test_both_grants_follow_the_wire_file(
    client: CXoneClient, platform: responses.RequestsMock, clock: MovableClock, desk: TokenDesk
) -> None:
    call(client)
    clock.advance(3000)
    call(client)

    requests = [each.request for each in platform.calls if each.request.url == TOKEN_URL]
    assert [operation_of(request) for request in requests] == ["issueToken", "issueToken"]
    assert "Authorization" not in requests[0].headers
    assert desk.forms[0] == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": "canary-secret",
        "scope": "conversations.read conversations.write participants.read participants.write "
        "messages.read messages.write delivery-status.read",
    }
    assert desk.forms[1] == {
        "grant_type": "refresh_token",
        "client_id": "client-1",
        "client_secret": "canary-secret",
        "refresh_token": "canary-refresh-1",
    }


def test_connecting_asks_for_nothing(client: CXoneClient, desk: TokenDesk) -> None:
    assert client is not None
    assert desk.grants == []


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3000),
        (7200, 3000),
        (300, 250),
        (60, 50),
        ("3600", 3000),
        ("300", 250),
        (300.5, 250),
        (0, 3000),
        (-1, 3000),
        ("0", 3000),
        (None, 3000),
        (True, 3000),
        ("soon", 3000),
        ([300], 3000),
        ("inf", 3000),
        ("NaN", 3000),
        (10**400, 3000),
    ],
)
def test_a_token_is_renewed_in_time_and_not_before(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock, expires_in: Any, seconds: int
) -> None:
    desk.extra = {"expires_in": expires_in}
    call(client)
    clock.advance(seconds - 1)
    call(client)
    assert len(desk.grants) == 1

    clock.advance(2)
    call(client)
    assert desk.grants == ["client_credentials", "refresh_token"]


def test_six_hours_cost_no_401_and_no_more_renewals_than_needed(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock, platform: responses.RequestsMock
) -> None:
    for _ in range(6 * 60):
        call(client)
        clock.advance(60)

    assert len(desk.grants) == 1 + 7
    assert len(platform.calls) == len(desk.grants) + 6 * 60


def test_each_refresh_uses_the_newest_refresh_token(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    for _ in range(4):
        call(client)
        clock.advance(3000)

    assert desk.grants == ["client_credentials", *["refresh_token"] * 3]


def test_a_refresh_token_that_is_not_replaced_stays_good(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    call(client)
    desk.refreshes = False
    for _ in range(3):
        clock.advance(3000)
        call(client)

    assert desk.grants == ["client_credentials", *["refresh_token"] * 3]


def test_without_a_refresh_token_the_client_starts_again(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    desk.refreshes = False
    call(client)
    clock.advance(3000)
    call(client)

    assert desk.grants == ["client_credentials"] * 2


@pytest.mark.parametrize("refusal", [REFUSED, NO_CLIENT, (403, ""), (404, "x"), (408, "")])
def test_a_refused_refresh_falls_back_within_the_same_call(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock, refusal: tuple[int, str]
) -> None:
    call(client)
    clock.advance(4000)
    desk.faults = [refusal]

    call(client)

    assert desk.grants == ["client_credentials", "refresh_token", "client_credentials"]


def test_a_lost_refresh_answer_is_made_up_for_by_the_next_attempt(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    """The desk rotated the refresh token, but its answer broke."""
    call(client)
    clock.advance(4000)
    desk.faults = [BROKEN]
    desk.refresh_token = "canary-rotated-away"
    assert failing_call(client).status == 503

    clock.advance(1)
    call(client)

    assert desk.grants[1:] == ["refresh_token", "refresh_token", "client_credentials"]


def test_being_asked_to_slow_down_is_no_reason_to_ask_in_another_way(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    call(client)
    clock.advance(4000)
    desk.faults, desk.headers = [(429, "")], {"Retry-After": "40"}

    error = failing_call(client)

    assert desk.grants == ["client_credentials", "refresh_token"]
    assert (error.operation, error.code, error.retry_after_seconds) == (
        "issueToken",
        "rate_limited",
        40,
    )


@pytest.mark.parametrize("fault", [BROKEN, (200, "<html>"), (200, '{"access_token": ""}')])
def test_an_old_token_that_lives_is_used_while_renewal_fails(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock, fault: tuple[int, str]
) -> None:
    call(client)
    clock.advance(3000)
    desk.faults = [fault] * 3

    for _ in range(5):
        call(client)
    assert len(desk.grants) == 2, "the next attempt keeps its distance"

    clock.advance(1)
    call(client)
    clock.advance(1)
    call(client)
    assert len(desk.grants) == 3
    clock.advance(1)
    call(client)
    assert len(desk.grants) == 4
    clock.advance(4)
    call(client)
    assert len(desk.grants) == 5
    assert desk.good == "canary-access-5"


def test_an_old_token_that_died_is_not_used(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    call(client)
    clock.advance(3600)
    desk.faults = [BROKEN]

    error = failing_call(client)

    assert (error.operation, error.status, error.code) == ("issueToken", 503, "http_503")
    assert (error.retryable, error.ambiguous, error.retry_after_seconds) == (True, False, 1)


@pytest.mark.parametrize("fault", [NO_CLIENT, REFUSED, BROKEN, (403, ""), (200, "{}"), (307, "")])
def test_attempts_are_spaced_from_1_to_300_seconds_for_ever(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock, fault: tuple[int, str]
) -> None:
    desk.faults = [fault] * 13
    spacings = []
    for attempt in range(1, 13):
        error = failing_call(client)
        assert error.retryable
        assert error.retry_after_seconds is not None
        spacings.append(error.retry_after_seconds)
        clock.advance(spacings[-1] - 0.5)
        again = failing_call(client)
        assert len(desk.grants) == attempt, "nothing is sent in between"
        assert (again.operation, again.status, again.code) == (
            "issueToken",
            error.status,
            error.code,
        )
        assert (again.retryable, again.retry_after_seconds) == (True, 0.5)
        clock.advance(0.5)

    assert spacings == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_a_success_starts_the_spacing_over(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    desk.faults = [NO_CLIENT] * 3
    for _ in range(3):
        failing_call(client)
        clock.advance(300)
    call(client)
    clock.advance(3600)
    desk.faults = [BROKEN]

    assert failing_call(client).retry_after_seconds == 1


def test_successes_are_never_limited(client: CXoneClient, desk: TokenDesk) -> None:
    for _ in range(10):
        desk.revoke()
        call(client)

    assert len(desk.grants) == 10


def test_a_clock_that_is_set_back_does_not_lock_the_client_out(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    desk.faults = [NO_CLIENT]
    failing_call(client)
    clock.advance(-86_400)

    call(client)


def test_a_401_renews_and_repeats_once(
    client: CXoneClient, desk: TokenDesk, platform: responses.RequestsMock
) -> None:
    call(client)
    desk.revoke()

    call(client)

    assert desk.grants == ["client_credentials", "refresh_token"]
    sent = [each.request.url == TOKEN_URL for each in platform.calls]
    assert sent == [True, False, False, True, False]


def test_a_second_401_is_an_error_that_may_pass(
    clock: MovableClock, platform: responses.RequestsMock, desk: TokenDesk
) -> None:
    platform.post(f"{API}/conversations/c/messages", status=401)
    client = connect(settings_for(HOST), clock=clock, token_store=None)
    with pytest.raises(CXoneError) as caught:
        client.post_message("c", POST, timeout_seconds=5)

    error = caught.value
    assert (error.operation, error.status, error.code) == ("postMessage", 401, "unauthorized")
    assert (error.retryable, error.ambiguous) == (True, False)
    assert len(desk.grants) == 2


def test_a_token_that_was_rejected_is_not_used_again_while_none_can_be_had(
    client: CXoneClient, desk: TokenDesk, platform: responses.RequestsMock
) -> None:
    call(client)
    desk.revoke()
    desk.faults = [BROKEN]
    assert failing_call(client).operation == "issueToken"
    before = len(platform.calls)

    assert failing_call(client).operation == "issueToken"

    assert len(platform.calls) == before, "neither the platform nor the desk was asked"


def test_a_desk_that_gives_the_same_token_again_is_not_asked_for_ever(
    client: CXoneClient, desk: TokenDesk
) -> None:
    desk.extra = {"access_token": "canary-always"}
    call_refused = failing_call(client)
    assert (call_refused.status, len(desk.grants)) == (401, 2)
    desk.good = "canary-always"

    for _ in range(5):
        call(client)

    assert len(desk.grants) == 2


@pytest.mark.parametrize(
    "token",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 5},
        {"access_token": "two words"},
        {"access_token": "line\r\nHost: x"},
        {"access_token": "t\u00f6ken"},
        {"token_type": "mac"},
        {"token_type": 1},
        {"refresh_token": 5},
    ],
)
def test_an_answer_without_a_usable_token_is_unreadable(
    client: CXoneClient, desk: TokenDesk, token: dict[str, Any]
) -> None:
    desk.extra = token

    error = failing_call(client)

    assert (error.operation, error.status, error.code) == ("issueToken", 200, "unreadable")
    assert error.retryable


@pytest.mark.parametrize("token", [{"token_type": "bearer"}, {"token_type": None}, {"scope": []}])
def test_small_oddities_of_a_token_answer_do_no_harm(
    client: CXoneClient, desk: TokenDesk, token: dict[str, Any]
) -> None:
    desk.extra = token

    call(client)


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        (None, ()),
        (
            "messages.read conversations.read other messages.write participants.read",
            ("conversations.write", "participants.write", "delivery-status.read"),
        ),
        ("", 7),
    ],
)
def test_scopes_that_were_not_granted_are_named(
    client: CXoneClient, desk: TokenDesk, scope: str | None, missing: tuple[str, ...] | int
) -> None:
    desk.extra = {"scope": scope}

    found = client.scopes_missing()

    assert (len(found) if isinstance(missing, int) else found) == missing


def test_a_refresh_that_names_no_scopes_keeps_them(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    desk.extra = {"scope": "messages.read"}
    before = client.scopes_missing()
    desk.extra = {}
    clock.advance(3000)

    assert client.scopes_missing() == before != ()


def together(client: CXoneClient, threads: int = 16) -> list[CXoneError | None]:
    """The outcome of one call by each of many threads, started at once."""
    barrier = Barrier(threads)

    def run(_: int) -> CXoneError | None:
        barrier.wait(5)
        try:
            call(client)
        except CXoneError as error:
            return error
        return None

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_sixteen_threads_get_the_first_token_with_one_request(
    client: CXoneClient, desk: TokenDesk
) -> None:
    assert together(client) == [None] * 16
    assert len(desk.grants) == 1


def test_sixteen_threads_renew_an_expired_token_once(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock
) -> None:
    call(client)
    clock.advance(4000)

    assert together(client) == [None] * 16
    assert len(desk.grants) == 2


def test_sixteen_threads_that_meet_a_401_renew_once(client: CXoneClient, desk: TokenDesk) -> None:
    call(client)
    desk.revoke()

    assert together(client) == [None] * 16
    assert len(desk.grants) == 2


def test_sixteen_threads_share_one_refusal(client: CXoneClient, desk: TokenDesk) -> None:
    desk.faults = [NO_CLIENT] * 16

    errors = together(client)

    assert {error.code for error in errors if error} == {"invalid_client"}
    assert None not in errors
    assert len(desk.grants) == 1


def slow_desk(
    platform: responses.RequestsMock, desk: TokenDesk, entered: Event, released: Event
) -> None:
    """From now on the desk keeps each request until it is released."""

    def wait(request: Any) -> Any:
        entered.set()
        assert released.wait(10)
        return desk(request)

    platform.remove(responses.POST, TOKEN_URL)
    platform.add_callback(responses.POST, TOKEN_URL, wait)


def test_nobody_waits_for_a_renewal_while_the_old_token_lives(
    client: CXoneClient, desk: TokenDesk, clock: MovableClock, platform: responses.RequestsMock
) -> None:
    call(client)
    clock.advance(3000)
    entered, released = Event(), Event()
    slow_desk(platform, desk, entered, released)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(call, client)
        assert entered.wait(5)
        for _ in range(3):
            call(client)
        released.set()
        renewing.result(5)

    assert desk.grants == ["client_credentials", "refresh_token"]


def test_waiting_for_another_threads_renewal_ends_with_the_callers_time(
    client: CXoneClient, desk: TokenDesk, platform: responses.RequestsMock
) -> None:
    entered, released = Event(), Event()
    slow_desk(platform, desk, entered, released)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(call, client)
        assert entered.wait(5)
        with pytest.raises(CXoneError) as caught:
            client.delivery_statuses("conv-1", timeout_seconds=0.05)
        released.set()
        renewing.result(5)

    assert (caught.value.operation, caught.value.code) == ("issueToken", "timeout")
    assert (caught.value.retryable, caught.value.ambiguous) == (True, False)


def test_a_token_endpoint_that_hangs_leaves_time_for_the_call_while_the_old_token_lives(
    clock: MovableClock,
) -> None:
    hangs = Event()

    def hang_on_tokens(connection: socket.socket, request: bytes) -> None:
        if b"/oauth/token " in request and hangs.is_set():
            connection.recv(1)
        else:
            with_tokens(answering(b"[]"))(connection, request)

    with raw_platform(hang_on_tokens) as platform:
        client = connect(settings_for(platform.url), clock=clock, token_store=None)
        call(client)
        clock.advance(3000)
        hangs.set()

        assert client.delivery_statuses("conv-1", timeout_seconds=1) == ()
