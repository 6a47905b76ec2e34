"""Reading ahead: what a transaction is about to need, in few round trips.

One caller's reads go out as one statement. Those of many (an array, a group of callers) go out as
one statement a table; their conversations are locked in one order for all, so that two such
transactions cannot deadlock. What is not found, or not foreseen, is read when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sms_fsm.ports import Post, Reads
from sms_fsm.store import statements as sql
from sms_fsm.store.driver import Driver, Row

_LOCKED = len(sql.LOCKED_COLUMNS)


class Remembered(NamedTuple):
    """A row of the inbox; ``expires_at`` is as the driver has it."""

    digest: str
    conversation: str
    seq: int
    expires_at: Any


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was found, and what is known not to be there (None).

    ``leases`` has the fencing tokens of leased effects; None is one that is not leased.
    """

    conversations: Sequence[tuple[Any, ...]] = ()
    keys: dict[str, Remembered | None] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    leases: dict[str, int | None] = field(default_factory=dict)
    messages: Sequence[tuple[str, int, str]] = ()


def fetch(driver: Driver, reads: Sequence[Reads]) -> Fetched:
    """Lock and read what these works need."""
    if len(reads) == 1:
        return _fetch_one(driver, reads[0])
    return _fetch_many(driver, reads)


def _fetch_one(driver: Driver, wanted: Reads) -> Fetched:
    if wanted.effect is not None:
        return _of_effect(wanted.effect, driver.first(sql.LOCK_EFFECT, {"id": wanted.effect}))
    if wanted.key is None:
        return Fetched()
    if wanted.message_id is not None:
        values: Row = {"message_id": wanted.message_id, "key": wanted.key}
        return _of_post(wanted.message_id, wanted.key, driver.first(sql.LOCK_POST_AND_KEY, values))
    if wanted.pair is not None:
        values = {**_pair(wanted.pair), "key": wanted.key}
        row = driver.first(sql.LOCK_PAIR_AND_KEY, values)
    else:
        row = driver.first(sql.LOCK_AND_KEY, {"id": wanted.conversation, "key": wanted.key})
    return Fetched() if row is None else _of_conversation(wanted.key, row)


def _of_conversation(key: str, row: tuple[Any, ...]) -> Fetched:
    return Fetched([row[:_LOCKED]], {key: _remembered(row[_LOCKED:])})


def _of_effect(effect: str, row: tuple[Any, ...] | None) -> Fetched:
    if row is None:
        return Fetched()
    return Fetched([row[:_LOCKED]], leases={effect: row[_LOCKED]})


def _of_post(message_id: str, key: str, row: tuple[Any, ...] | None) -> Fetched:
    if row is None:
        return Fetched()
    key_row, post = row[_LOCKED : _LOCKED + 4], row[_LOCKED + 4 :]
    return Fetched([row[:_LOCKED]], {key: _remembered(key_row)}, {message_id: Post(*post)})


def _remembered(columns: Sequence[Any]) -> Remembered | None:
    return None if columns[0] is None else Remembered(*columns)


def _fetch_many(driver: Driver, reads: Sequence[Reads]) -> Fetched:
    posts = _posts(driver, reads)
    identities = {wanted.conversation for wanted in reads if wanted.conversation}
    identities |= {post.conversation for post in posts.values()}
    identities |= _holders(driver, reads)
    return Fetched(
        driver.all_of(sql.LOCK_ALL, sorted(identities)),
        _keys(driver, {wanted.key for wanted in reads if wanted.key}),
        posts,
        _leases(driver, {wanted.effect for wanted in reads if wanted.effect}),
        _messages(driver, reads, posts.values()),
    )


def _posts(driver: Driver, reads: Sequence[Reads]) -> dict[str, Post]:
    wanted = sorted({read.message_id for read in reads if read.message_id})
    rows = driver.all_of(sql.POSTS, wanted)
    return {message_id: Post(*place) for message_id, *place in rows}


def _holders(driver: Driver, reads: Sequence[Reads]) -> set[str]:
    """The ids of the conversations of these pairs, and of those with these ids of CXone's."""
    pairs = sorted({read.pair for read in reads if read.pair})
    remote = sorted({read.conversation_id for read in reads if read.conversation_id})
    rows = driver.all_of(sql.HOLDERS_OF_PAIRS, pairs) + driver.all_of(sql.HOLDERS, remote)
    return {identity for (identity,) in rows}


def _keys(driver: Driver, wanted: set[str]) -> dict[str, Remembered | None]:
    found = {
        key: Remembered(*columns) for key, *columns in driver.all_of(sql.ALL_KNOWN, sorted(wanted))
    }
    return {key: found.get(key) for key in wanted}


def _leases(driver: Driver, wanted: set[str]) -> dict[str, int | None]:
    return dict(driver.all_of(sql.LEASES, sorted(wanted)))


def _messages(
    driver: Driver, reads: Sequence[Reads], posts: Iterable[Post]
) -> Sequence[tuple[Any, ...]]:
    places = {(post.conversation, post.message) for post in posts}
    places |= {
        (wanted.conversation, wanted.message)
        for wanted in reads
        if wanted.conversation is not None and wanted.message is not None
    }
    return driver.all_of(sql.MESSAGES, sorted(places))


def _pair(pair: tuple[str, str, str]) -> Row:
    return dict(zip(("customer", "business", "isolation"), pair, strict=True))
