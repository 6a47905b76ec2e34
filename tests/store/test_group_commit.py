"""Callers that write at the same time share a transaction, and nothing but that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sms_fsm.store.group_commit import GroupCommit


class Transactions:
    """Counts commits; the first one waits until all callers are there."""

    def __init__(self, callers: int = 1) -> None:
        self.committed: list[list[str]] = []
        self._gate = threading.Barrier(callers) if callers > 1 else None

    def run(self, work: Callable[[list[str]], Any], reads: Sequence[str]) -> Any:
        assert not reads
        if self._gate is not None and not self.committed:
            self._gate.wait(timeout=10)
        written: list[str] = []
        result = work(written)
        self.committed.append(written)
        return result


def _write(value: str) -> Callable[[list[str]], str]:
    def work(written: list[str]) -> str:
        written.append(value)
        return f"answer to {value}"

    return work


def test_a_lone_caller_has_a_transaction_of_its_own() -> None:
    transactions = Transactions()
    group = GroupCommit(transactions.run)
    assert group.submit(_write("a")) == "answer to a"
    assert group.submit(_write("b")) == "answer to b"
    assert transactions.committed == [["a"], ["b"]]


def test_callers_that_wait_share_the_next_transaction() -> None:
    callers = 8
    transactions = Transactions(callers=2)
    group = GroupCommit(transactions.run)
    with ThreadPoolExecutor(callers) as pool:
        first = pool.submit(group.submit, _write("first"))
        others = [pool.submit(group.submit, _write(str(n))) for n in range(callers - 1)]
        while len(group._waiting) < callers - 1:
            threading.Event().wait(0.001)
        assert transactions._gate is not None
        transactions._gate.wait(timeout=10)
        assert first.result(timeout=10) == "answer to first"
        answers = {future.result(timeout=10) for future in others}
    assert answers == {f"answer to {n}" for n in range(callers - 1)}
    assert [len(written) for written in transactions.committed] == [1, callers - 1]


def test_work_that_raises_is_rolled_back_alone() -> None:
    transactions = Transactions(callers=2)
    group = GroupCommit(transactions.run)

    def broken(written: list[str]) -> None:
        written.append("half done")
        raise ValueError("mine")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.submit, _write("first"))
        good = pool.submit(group.submit, _write("good"))
        bad = pool.submit(group.submit, broken)
        while len(group._waiting) < 2:
            threading.Event().wait(0.001)
        assert transactions._gate is not None
        transactions._gate.wait(timeout=10)
        first.result(timeout=10)
        assert good.result(timeout=10) == "answer to good"
        with pytest.raises(ValueError, match="mine"):
            bad.result(timeout=10)
    assert "half done" not in [value for written in transactions.committed for value in written]
    assert [value for written in transactions.committed for value in written] == ["first", "good"]


def test_many_threads_each_get_their_own_answer() -> None:
    transactions = Transactions()
    group = GroupCommit(transactions.run, most=5)
    with ThreadPoolExecutor(16) as pool:
        values = [str(n) for n in range(400)]
        answers = list(pool.map(lambda value: group.submit(_write(value)), values))
    assert answers == [f"answer to {value}" for value in values]
    written = [value for batch in transactions.committed for value in batch]
    assert sorted(written) == sorted(values)
    assert max(len(batch) for batch in transactions.committed) <= 5
