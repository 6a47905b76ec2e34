"""Fills a store with recorded events: the engine against a simulator with faults, time moved.

    python tests/recorded_stores.py sqlite:///live.db 100000

All chance comes from a seed; the order of calls within one `drain` is the threads'.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count

from world import MovingClock, World

from sms_fsm import OptedOut, TransitionRefused
from sms_fsm.machine import Step
from sms_fsm.simulator import CarrierPlan, Fault, Simulator

FAULTS = (
    Fault("createConversation", "reset", probability=0.01),
    Fault("createConversation", "status", probability=0.01, status=503),
    Fault("postMessage", "reset", probability=0.01, applied=0.5),
    Fault("postMessage", "status", probability=0.01, status=429),
    Fault("postMessage", "status", probability=0.01, status=502),
    Fault("postMessage", "archive", probability=0.01),
    Fault("postMessage", "close", probability=0.002),
    Fault("updateRouting", "status", probability=0.02, status=500),
    Fault("findConversations", "status", probability=0.01, status=503),
    Fault("issueToken", "status", probability=0.1, status=503),
    Fault("webhook", "repeat", probability=0.05),
    Fault("webhook", "drop", probability=0.02),
)
CARRIERS = CarrierPlan(failing=0.08, silent=0.02, copies=2, reordered=True)


class Traffic:
    """Customers, agents and carriers who keep a world busy."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.events = 0
        self._dice = random.Random(seed)
        self._keys = count(1)
        self._known: list[str] = []
        world.engine.watch(self._heard)

    def _heard(self, _: Step) -> None:
        self.events += 1

    def go_on(self, *, newcomers: int, busy: int) -> None:
        """Some customers text first, some conversations go on, and everything due is done."""
        for _ in range(newcomers):
            self._newcomer()
        for identity in self._dice.sample(self._known, min(busy, len(self._known))):
            self._dice.choice(self._doings())(identity)
        self.settle()

    def settle(self) -> None:
        """Carry out what is due, let carriers speak, and let some time pass."""
        self.world.engine.drain()
        self.world.simulator.deliver(threads=8)
        self.world.clock.forward(seconds=self._dice.choice((5, 40, 90, 400, 4_000)))
        self.world.engine.drain()

    def _newcomer(self) -> None:
        customer = f"+1555{len(self._known) + 1_000_000:07d}"
        receipt = self.world.text(f"hello {len(self._known)}", from_=customer)
        assert receipt.conversation is not None
        self._known.append(receipt.conversation)

    def _doings(self) -> Sequence[Callable[[str], object]]:
        return (
            *[self._text] * 4,
            *[self._reply] * 6,
            self._note,
            self._transfer,
            self._archive,
            self._assign,
        )

    def _text(self, identity: str) -> None:
        word = self._dice.choice(("ok", "thanks", "and then?", "when?", "START"))
        if self._dice.random() < 0.01:
            word = "STOP"
        self.world.text(word, from_=self.world.conversation(identity).customer)

    def _reply(self, identity: str) -> None:
        try:
            self.world.engine.reply(identity, self._words(), key=f"reply-{next(self._keys)}")
        except OptedOut:
            self._note(identity)

    def _words(self) -> str:
        return "We look into it. " * self._dice.choice((1, 1, 1, 1, 12))

    def _note(self, identity: str) -> None:
        key = f"note-{next(self._keys)}"
        self.world.engine.reply(identity, "seen", key=key, internal_note=True)

    def _transfer(self, identity: str) -> None:
        key = f"transfer-{next(self._keys)}"
        self.world.engine.transfer(identity, queue_id="queue_billing", key=key)

    def _archive(self, identity: str) -> None:
        with suppress(TransitionRefused):
            self.world.engine.archive(identity)

    def _assign(self, identity: str) -> None:
        remote = self.world.conversation(identity).conversation_id
        if remote is not None:
            self.world.simulator.assign(remote, "agent-1", agent_id="agent-id-9")


@contextmanager
def traffic(database_url: str, *, seed: int = 1) -> Iterator[Traffic]:
    """A world with faults, and somebody who keeps it busy."""
    clock = MovingClock()
    simulator = Simulator(clock=clock, seed=seed, carrier=CARRIERS)
    for fault in FAULTS:
        simulator.fault(fault)
    with simulator.serve() as url:
        world = World(database_url, url, simulator, clock, fallback=lambda _: None, workers=16)
        yield Traffic(world, seed)
        world.close()


def record(
    database_url: str, events: int, *, seed: int = 1, on: Callable[[int], None] = lambda _: None
) -> int:
    """Let traffic go on until the store holds so many events; gives how many it holds."""
    with traffic(database_url, seed=seed) as going:
        while going.events < events:
            going.go_on(newcomers=20, busy=150)
            on(going.events)
    return going.events


def _shown(events: int) -> None:
    print(f"\r{events:,} events", end="", file=sys.stderr)


if __name__ == "__main__":
    record(sys.argv[1], int(sys.argv[2]), on=_shown)
