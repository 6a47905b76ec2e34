"""One contender in a process of its own, so that threads and imports of one slow no other."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import time
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self

from bench.texts import texts


class Sample(NamedTuple):
    """What it took to take in ``events`` texts, and the most memory that the process ever had.

    ``cpu_seconds`` is that of the process alone, not of a database server.
    """

    events: int
    seconds: float
    cpu_seconds: float
    memory_kilobytes: int

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


class Lane:
    """A contender that runs when it is told to and rests otherwise.

    Args:
        contender: ``module:class`` below `bench.contenders`.
        arguments: what it is made with, first the URL of its own store.
        customers: how many customers the store holds.
    """

    def __init__(self, contender: str, *arguments: str, customers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(contender, arguments, customers, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._answer()
        self.events = 0
        """How many texts it was given."""

    def run(self, events: int) -> Sample:
        """Have it take in so many texts."""
        self.events += events
        self._pipe.send(events)
        return Sample(*self._answer())

    def _answer(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self._process.name} ended; see its error above") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()


def _serve(contender: str, arguments: tuple[str, ...], customers: int, pipe: Connection) -> None:
    module, name = contender.split(":")
    taker = getattr(import_module(f"bench.contenders.{module}"), name)(*arguments)
    pipe.send("ready")
    try:
        while True:
            pipe.send(_measured(taker, pipe.recv(), customers))
    except EOFError:
        taker.close()


def _measured(taker: Any, events: int, customers: int) -> Sample:
    arriving = texts(events, customers)
    taker.prepare(arriving)
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    taker.take(arriving)
    ended, spent = time.perf_counter() - began, time.process_time() - cpu
    return Sample(events, ended, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
