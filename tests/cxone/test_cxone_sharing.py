"""Processes that share one token through a store, encrypted, renewed by one of them at a time.

Each client here stands for a process: they share the store and nothing else.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import Any

import keyring
import keyring.backend
import pytest
import responses
from cryptography.fernet import Fernet
from keyring.errors import InitError, KeyringLocked, NoKeyringError

from sms_fsm.cxone import CXoneClient, connect
from sms_fsm.cxone.vault import token_key
from sms_fsm.errors import CXoneError

from .tenant import HOST, TOKEN_URL, MovableClock, settings_for
from .token_desk import TokenDesk, call, failing_call
from .token_store import MemoryTokenStore

KEY = Fernet.generate_key().decode()


@pytest.fixture
def store() -> MemoryTokenStore:
    return MemoryTokenStore()


@pytest.fixture
def process(platform: responses.RequestsMock, clock: MovableClock, store: MemoryTokenStore) -> Any:
    """Makes one more process."""
    assert platform is not None

    def start(key: str | None = KEY) -> CXoneClient:
        return connect(settings_for(HOST, token_key=key), clock=clock, token_store=store)

    return start


def test_a_second_process_uses_the_token_of_the_first(process: Any, desk: TokenDesk) -> None:
    call(process())
    call(process())

    assert len(desk.grants) == 1


def test_a_process_takes_over_what_another_one_renewed(
    process: Any, desk: TokenDesk, clock: MovableClock
) -> None:
    one, other = process(), process()
    call(one)
    call(other)
    for _ in range(3):
        clock.advance(3000)
        call(one)
        call(other)

    assert desk.grants == ["client_credentials", *["refresh_token"] * 3]


def test_an_expired_token_of_another_process_is_refreshed_with_its_refresh_token(
    process: Any, desk: TokenDesk, clock: MovableClock
) -> None:
    call(process())
    clock.advance(90_000)
    call(process())

    assert desk.grants == ["client_credentials", "refresh_token"]


def test_a_401_is_healed_by_the_token_that_another_process_got(
    process: Any, desk: TokenDesk
) -> None:
    one, other = process(), process()
    call(one)
    call(other)
    desk.revoke()
    call(one)

    call(other)

    assert len(desk.grants) == 2


def test_processes_and_threads_at_once_make_one_request(
    process: Any, desk: TokenDesk, clock: MovableClock
) -> None:
    clients = [process() for _ in range(4)] * 4
    call(clients[0])
    clock.advance(4000)
    barrier = Barrier(len(clients))

    def run(client: CXoneClient) -> None:
        barrier.wait(5)
        call(client)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(run, clients))

    assert desk.grants == ["client_credentials", "refresh_token"]


def test_the_new_token_is_stored_before_it_is_used(
    process: Any, platform: responses.RequestsMock, store: MemoryTokenStore
) -> None:
    seen: list[bool] = []

    def look(request: Any) -> Any:
        assert store.stored is not None
        token = request.headers["Authorization"].removeprefix("Bearer ")
        seen.append(token.encode() in Fernet(KEY).decrypt(store.stored[1]))
        return 200, {}, "[]"

    platform.remove(responses.GET, f"{HOST}/api/v2/delivery-status")
    platform.add_callback(responses.GET, f"{HOST}/api/v2/delivery-status", look)

    call(process())

    assert seen == [True]


def test_what_is_stored_is_encrypted(process: Any, store: MemoryTokenStore) -> None:
    call(process())

    assert store.stored is not None
    assert b"canary" not in store.stored[1]


def test_the_lease_ends_with_the_renewal_and_never_lasts_over_10_seconds(
    process: Any, store: MemoryTokenStore
) -> None:
    call(process())

    assert not store.leased
    assert max(store.asked_seconds) <= 10


@pytest.mark.parametrize("fault", [(503, ""), (401, '{"error": "invalid_client"}')])
def test_the_lease_ends_with_a_renewal_that_fails(
    process: Any, store: MemoryTokenStore, desk: TokenDesk, fault: tuple[int, str]
) -> None:
    desk.faults = [fault]
    failing_call(process())

    assert not store.leased
    call(process())


def test_a_process_waits_for_the_token_that_another_one_is_getting(
    process: Any, desk: TokenDesk, platform: responses.RequestsMock
) -> None:
    entered, released = Event(), Event()

    def slowly(request: Any) -> Any:
        entered.set()
        assert released.wait(10)
        return desk(request)

    platform.remove(responses.POST, TOKEN_URL)
    platform.add_callback(responses.POST, TOKEN_URL, slowly)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(call, process())
        assert entered.wait(5)
        other = pool.submit(call, process())
        assert not other.done()
        released.set()
        one.result(5)
        other.result(5)

    assert len(desk.grants) == 1


def test_a_holder_that_died_is_replaced_when_its_lease_runs_out(
    process: Any, store: MemoryTokenStore, desk: TokenDesk
) -> None:
    store.lease("dead", 0.2)

    call(process())

    assert len(desk.grants) == 1


def test_waiting_for_another_process_ends_with_the_callers_time(
    process: Any, store: MemoryTokenStore, desk: TokenDesk
) -> None:
    store.lease("slow", 10)
    with pytest.raises(CXoneError) as caught:
        process().delivery_statuses("conv-1", timeout_seconds=0.2)

    error = caught.value
    assert (error.operation, error.code) == ("issueToken", "timeout")
    assert (error.retryable, error.ambiguous) == (True, False)
    assert desk.grants == []


def test_nobody_waits_for_another_process_while_the_old_token_lives(
    process: Any, store: MemoryTokenStore, desk: TokenDesk, clock: MovableClock
) -> None:
    client = process()
    call(client)
    clock.advance(3000)
    asked = len(store.asked_seconds)
    store.lease("slow", 10)

    call(client)

    assert len(store.asked_seconds) == asked + 2, "asked for once by the test and once by the call"
    assert len(desk.grants) == 1


def test_a_token_that_was_stored_just_before_the_lease_was_free_is_used(
    process: Any, store: MemoryTokenStore, desk: TokenDesk
) -> None:
    other = process()
    store.before_lease = lambda: call(other)

    call(process())

    assert len(desk.grants) == 1
    assert not store.leased


def test_the_store_is_left_alone_while_attempts_are_spaced_and_the_old_token_lives(
    process: Any, store: MemoryTokenStore, desk: TokenDesk, clock: MovableClock
) -> None:
    client = process()
    call(client)
    clock.advance(3000)
    desk.faults = [(503, "")]
    call(client)
    loads = store.loads

    call(client)

    assert store.loads == loads


def test_another_processs_success_ends_this_ones_spacing(process: Any, desk: TokenDesk) -> None:
    one, other = process(), process()
    desk.faults = [(503, "")]
    failing_call(one)

    call(other)
    call(one)

    assert len(desk.grants) == 2


def test_a_token_under_another_key_is_replaced(process: Any, desk: TokenDesk) -> None:
    call(process())
    call(process(Fernet.generate_key().decode()))

    assert desk.grants == ["client_credentials", "client_credentials"]


@pytest.mark.parametrize(
    "content", [b"", b"junk", Fernet(KEY).encrypt(b"[]")], ids=["empty", "junk", "no-token"]
)
def test_a_stored_token_that_is_damaged_is_replaced(
    process: Any, store: MemoryTokenStore, content: bytes
) -> None:
    store.save(content, "someone")

    call(process())


def test_scopes_are_known_to_processes_that_did_not_ask(process: Any, desk: TokenDesk) -> None:
    desk.extra = {"scope": "messages.read"}
    missing = process().scopes_missing()

    assert process().scopes_missing() == missing != ()
    assert len(desk.grants) == 1


def test_without_a_key_the_token_stays_in_memory(
    process: Any, store: MemoryTokenStore, desk: TokenDesk
) -> None:
    call(process(None))
    call(process(None))

    assert store.stored is None
    assert len(desk.grants) == 2


def test_a_store_that_is_gone_is_an_error_that_may_pass(
    process: Any, store: MemoryTokenStore
) -> None:
    store.broken = True

    error = failing_call(process())

    assert (error.operation, error.code) == ("issueToken", "store_unavailable")
    assert (error.retryable, error.ambiguous) == (True, False)


def test_a_token_that_cannot_be_stored_is_not_used(
    process: Any, store: MemoryTokenStore, platform: responses.RequestsMock
) -> None:
    def issue_and_lose_the_store(request: Any) -> Any:
        store.broken = True
        return TokenDesk()(request)

    platform.remove(responses.POST, TOKEN_URL)
    platform.add_callback(responses.POST, TOKEN_URL, issue_and_lose_the_store)

    assert failing_call(process()).code == "store_unavailable"
    assert [each.request.url for each in platform.calls] == [TOKEN_URL]


def test_an_old_token_that_lives_outlasts_the_store(
    process: Any, store: MemoryTokenStore, clock: MovableClock
) -> None:
    client = process()
    call(client)
    clock.advance(3000)
    store.broken = True

    call(client)


class FakeKeyring(keyring.backend.KeyringBackend):
    priority = 1.0

    def __init__(self, answer: str | Exception | None) -> None:
        self.answer = answer
        self.asked: tuple[str, str] | None = None
        self.times = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked = (service, username)
        self.times += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def use_keyring(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(answer: str | Exception | None) -> FakeKeyring:
        backend = FakeKeyring(answer)
        monkeypatch.setattr("keyring.core._keyring_backend", backend)
        return backend

    return use


def test_the_settings_key_goes_before_the_keyrings(use_keyring: Any) -> None:
    backend = use_keyring("other")

    assert token_key(settings_for(HOST, token_key=KEY)) == KEY
    assert backend.asked is None


def test_the_keyrings_key_is_used_when_the_settings_have_none(
    use_keyring: Any, process: Any, store: MemoryTokenStore
) -> None:
    backend = use_keyring(KEY)

    call(process(None))

    assert backend.asked == ("sms-fsm", "client-1")
    assert store.stored is not None
    assert b"canary-access" in Fernet(KEY).decrypt(store.stored[1])


@pytest.mark.parametrize("answer", [None, NoKeyringError(), InitError(), KeyringLocked()])
def test_a_machine_without_a_usable_keyring_has_no_key(use_keyring: Any, answer: Any) -> None:
    use_keyring(answer)

    assert token_key(settings_for(HOST)) is None


def test_an_entry_of_the_keyring_that_is_no_key_is_told_and_not_used(
    use_keyring: Any, process: Any, desk: TokenDesk, store: MemoryTokenStore, caplog: Any
) -> None:
    use_keyring("canary-not-a-key")

    call(process(None))

    assert (len(desk.grants), store.stored) == (1, None)
    assert "token.keyring_entry_is_no_key" in caplog.messages
    assert "canary" not in caplog.text


def test_the_keyring_is_asked_by_the_first_call_and_by_no_other(
    use_keyring: Any, process: Any
) -> None:
    backend = use_keyring(KEY)

    client = process(None)
    assert backend.asked is None

    call(client)
    call(client)
    assert backend.times == 1


def test_a_thread_that_dies_with_the_lock_leaves_no_lock_behind(
    process: Any, platform: responses.RequestsMock, desk: TokenDesk
) -> None:
    """Whatever a renewal dies of, the next caller can renew."""

    class Dead(BaseException):
        pass

    def die(_: Any) -> Any:
        raise Dead

    client = process()
    platform.remove(responses.POST, TOKEN_URL)
    platform.add_callback(responses.POST, TOKEN_URL, die)
    died = Event()

    def run() -> None:
        try:
            call(client)
        except Dead:
            died.set()

    thread = Thread(target=run)
    thread.start()
    thread.join(5)
    assert died.is_set()
    platform.remove(responses.POST, TOKEN_URL)
    platform.add_callback(responses.POST, TOKEN_URL, desk)

    call(client)
