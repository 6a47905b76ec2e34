"""What carriers say about outbound messages: by plan, drawn from the seed, or as scripted."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from sms_fsm.simulator.records import Callback, CarrierStatus, Delivery, Message

_CODES = {
    "sent": ("ENROUTE", None),
    "delivered": ("DELIVRD", "000"),
    "failed": ("UNDELIV", None),
    "undelivered": ("UNDELIV", None),
    "rejected": ("REJECTD", None),
    "expired": ("EXPIRED", None),
    "unknown": ("UNKNOWN", None),
}
Word = str | tuple[str, str | None] | list[str | None] | Mapping[str, str | None] | CarrierStatus
"""A carrier's word as tests write it: "sent", ("failed", "30003"), fields, or the value itself."""


def carrier_status(word: Word) -> CarrierStatus:
    """The value of a word; codes that are not given are those usual for the status."""
    if isinstance(word, CarrierStatus):
        return word
    if isinstance(word, str):
        return _usual(word, None)
    if isinstance(word, Mapping):
        usual = _usual(str(word["status"]), word.get("error_code"))
        return CarrierStatus(**(asdict(usual) | dict(word)))
    status, error_code = word
    return _usual(str(status), error_code)


def _usual(status: str, error_code: str | None) -> CarrierStatus:
    status_code, carrier = _CODES.get(status, (None, None))
    return CarrierStatus(status, error_code, status_code, carrier or error_code)


@dataclass(frozen=True, slots=True)
class CarrierPlan:
    """How carriers treat messages; shares lie between 0 and 1.

    Args:
        statuses: the words about a message, in order.
        failing: share of messages that get ``failure`` as their last word instead.
        silent: share of messages about which no carrier ever says a word.
        dropped: share of callbacks that get lost (the status endpoint shows the word all the same).
        copies: how often each callback comes.
        reordered: callbacks come in any order.
        before_answer: callbacks come before the answer to the post that caused them.
    """

    statuses: tuple[Word, ...] = ("sent", "delivered")
    failing: float = 0.0
    failure: Word = ("failed", "30003")
    silent: float = 0.0
    dropped: float = 0.0
    copies: int = 1
    reordered: bool = False
    before_answer: bool = False

    def words(self, draw: random.Random) -> list[CarrierStatus]:
        """The words about one message."""
        words = [carrier_status(word) for word in self.statuses]
        if draw.random() < self.silent:
            return []
        if draw.random() < self.failing:
            return [*words[:-1], carrier_status(self.failure)]
        return words


@dataclass(slots=True)
class _Script:
    """A plan for the messages that ``which`` names: a piece of text, or the n-th outbound one."""

    which: str | int
    plan: CarrierPlan
    left: int | None

    def fits(self, text: str, number: int) -> bool:
        if self.left == 0:
            return False
        return self.which in text if isinstance(self.which, str) else self.which == number

    def take(self) -> CarrierPlan:
        if self.left is not None:
            self.left -= 1
        return self.plan


@dataclass(slots=True)
class Carrier:
    """Decides what is to come for each message. The caller serialises calls."""

    plan: CarrierPlan
    seed: int
    posted: int = 0
    _scripts: list[_Script] = field(default_factory=list)

    def script(self, which: str | int, plan: CarrierPlan, times: int | None) -> None:
        """Adds a script; the first one that fits a message and is not used up rules it."""
        self._scripts.append(_Script(which, plan, times))

    def schedule(
        self, messages: Iterable[Message], deliveries: Iterable[Delivery], stale: set[str]
    ) -> tuple[Delivery, ...]:
        """The records with what their carriers will say; nothing over a stale link."""
        by_id = {message.id: message for message in messages}
        return tuple(
            delivery
            if delivery.conversation_id in stale
            else self._scheduled(delivery, by_id[delivery.message_id])
            for delivery in deliveries
        )

    def _scheduled(self, delivery: Delivery, message: Message) -> Delivery:
        if not message.outbound:
            return delivery
        plan = self._plan_of(message)
        self.posted += 1
        draw = random.Random(f"{self.seed}/{message.client_reference or message.id}")  # noqa: S311 - a simulation
        words = plan.words(draw)
        planned = tuple(Callback(w, _copies(plan, draw)) for w in words)
        early = plan.before_answer or delivery.before_answer
        return replace(delivery, planned=planned, reordered=plan.reordered, before_answer=early)

    def _plan_of(self, message: Message) -> CarrierPlan:
        fitting = (script for script in self._scripts if script.fits(message.text, self.posted))
        script = next(fitting, None)
        return script.take() if script else self.plan


def _copies(plan: CarrierPlan, draw: random.Random) -> int:
    return 0 if draw.random() < plan.dropped else plan.copies
