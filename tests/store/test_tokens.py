"""One shared access token, one renewer at a time."""

from __future__ import annotations

from functools import partial

import pytest

from sms_fsm.store import Database, SqlTokenStore

from .shelf import at_once

_OVER = -1.0


@pytest.fixture
def tokens(database: Database) -> SqlTokenStore:
    return SqlTokenStore(database)


def test_there_is_no_token_at_first(tokens: SqlTokenStore) -> None:
    assert tokens.load() is None
    assert tokens.lease("worker", 60)
    assert tokens.load() is None


def test_a_saved_token_is_loaded_with_its_version(tokens: SqlTokenStore) -> None:
    assert tokens.save(b"\x00first", "worker") == 1
    assert tokens.save(b"second", "worker") == 2
    assert tokens.load() == (2, b"second")


def test_all_stores_on_one_database_share_the_token(database: Database) -> None:
    SqlTokenStore(database).save(b"shared", "worker")
    assert SqlTokenStore(database).load() == (1, b"shared")


def test_of_threads_that_ask_at_once_one_may_renew(tokens: SqlTokenStore) -> None:
    asked = at_once(partial(tokens.lease, f"worker-{n}", 60) for n in range(8))
    assert asked.count(True) == 1


def test_a_holder_may_prolong_its_lease_and_others_wait(tokens: SqlTokenStore) -> None:
    assert tokens.lease("one", 60)
    assert tokens.lease("one", 60)
    assert not tokens.lease("two", 60)


def test_a_lease_that_ran_out_is_free(tokens: SqlTokenStore) -> None:
    assert tokens.lease("one", _OVER)
    assert tokens.lease("two", 60)
    assert not tokens.lease("one", 60)


def test_a_released_lease_is_free(tokens: SqlTokenStore) -> None:
    assert tokens.lease("one", 60)
    tokens.release("one")
    assert tokens.lease("two", 60)


def test_only_the_holder_releases(tokens: SqlTokenStore) -> None:
    assert tokens.lease("one", 60)
    tokens.release("two")
    assert not tokens.lease("two", 60)


def test_saving_ends_the_lease_of_the_holder(tokens: SqlTokenStore) -> None:
    assert tokens.lease("one", 60)
    tokens.save(b"token", "one")
    assert tokens.lease("two", 60)


def test_saving_late_leaves_the_lease_of_the_next_holder(tokens: SqlTokenStore) -> None:
    assert tokens.lease("one", _OVER)
    assert tokens.lease("two", 60)
    tokens.save(b"late", "one")
    assert not tokens.lease("three", 60)
