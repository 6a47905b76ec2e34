"""Claiming alone: eight threads take what is due and do nothing with it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from bench.contenders.contender import Contender
from bench.contenders.engine import Arrays
from bench.texts import Text, customer
from sms_fsm.store import Repository, open_database

WORKERS = 8


class Claims(Contender):
    """One effect a claim. A text counts as one, each from another customer."""

    def __init__(self, url: str) -> None:
        self._arrays = Arrays(url)
        self._database = open_database(url, pool_size=WORKERS)
        self._repository = Repository(self._database)
        self._pool = ThreadPoolExecutor(WORKERS)
        self._claimed = 0

    def prepare(self, texts: Sequence[Text]) -> None:
        """One text a customer, so that each plans an effect that may go at once."""
        places = range(self._claimed, self._claimed + len(texts))
        self._claimed += len(texts)
        self._arrays.take(
            [Text(t.message_id, customer(n)) for t, n in zip(texts, places, strict=True)]
        )

    def take(self, texts: Sequence[Text]) -> None:
        counts = self._pool.map(lambda _: self._claim_all(), range(WORKERS))
        assert sum(counts) == len(texts)

    def _claim_all(self) -> int:
        count = 0
        while claimed := self._repository.claim(datetime.now(UTC), limit=1, lease_seconds=3600):
            count += len(claimed)
        return count

    def close(self) -> None:
        self._pool.shutdown()
        self._database.close()
        self._arrays.close()
