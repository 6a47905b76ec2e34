"""Brings the carriers' words: into the delivery records, and out as webhooks. On demand, or by
itself from background threads.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from sms_fsm.simulator.ledger import Entry
from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Changes, Delivery, wire_time
from sms_fsm.simulator.webhooks import Sender

_ROUND_SECONDS = 0.02
_ROUTES = 4


@dataclass(slots=True)
class Postman:
    """Delivers what is pending; background threads are there between ``start`` and ``stop``."""

    platform: Platform
    sender: Sender
    draw: random.Random
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def deliver(self, limit: int | None = None, threads: int = 1) -> int:
        """Makes up to ``limit`` pending words known and sends every webhook that waits.

        Gives the number of webhooks sent, or of words where nobody takes webhooks.
        """
        with self.platform.lock:
            words, shuffle = self._make_known(list(self.platform.awaiting_carrier), limit)
            hooks = self.sender.waiting()
            if shuffle:
                self.draw.shuffle(hooks)
        sent = self.sender.send(hooks, threads)
        return sent if self.sender.receiver else words

    def deliver_at_once(self, deliveries: Iterable[Delivery]) -> None:
        """The callbacks that come before the answer to the post that caused them."""
        early = [d.message_id for d in deliveries if d.before_answer]
        if early:
            with self.platform.lock:
                self._make_known(early, None)
                hooks = self.sender.waiting()
            self.sender.send(hooks)

    def start(self) -> None:
        """Delivers shortly after each post from now on."""
        self._stop.clear()
        self._threads = [
            threading.Thread(target=self._deliver_until_stopped, args=(route,), daemon=True)
            for route in range(_ROUTES)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the background threads, if there are any."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _deliver_until_stopped(self, route: int) -> None:
        """Each message's words go one route, so that a slow receiver holds up few others."""
        while not self._stop.wait(_ROUND_SECONDS):
            with self.platform.lock:
                self._make_known(list(self.platform.awaiting_carrier), None)
            due = self.sender.waiting(due=True)
            self.sender.send([one for one in due if self._route_of(one) == route])

    def _route_of(self, webhook_id: str) -> int:
        data = self.platform.webhooks[webhook_id].envelope["data"]
        return sum(str(data.get("message_id")).encode()) % _ROUTES

    def _make_known(self, message_ids: Iterable[str], limit: int | None) -> tuple[int, bool]:
        """Takes words out of the plans; gives how many, and whether their order is to be lost."""
        words, shuffle = 0, False
        for delivery in [self.platform.deliveries[one] for one in message_ids]:
            shuffle = shuffle or delivery.reordered
            room = None if limit is None else limit - words
            for _ in delivery.planned[:room]:
                self._make_next_known(delivery.message_id)
                words += 1
        return words, shuffle

    def _make_next_known(self, message_id: str) -> None:
        delivery = self.platform.deliveries[message_id]
        callback, *rest = delivery.planned
        at = self.platform.now()
        wire = {**delivery.wire, **asdict(callback.word), "timestamp": wire_time(at)}
        envelope = {"type": "delivery.status", "data": wire}
        copies = callback.copies if self.sender.receiver else 0
        hooks = tuple(self.sender.webhook(envelope, number) for number in range(copies))
        known = replace(delivery, wire=wire, planned=tuple(rest))
        self.platform.commit(
            Entry(
                at=at,
                operation="carrier",
                conversation_id=delivery.conversation_id,
                message_id=message_id,
                changes=Changes(deliveries=(known,), webhooks=hooks),
            )
        )
