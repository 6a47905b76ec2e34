"""What happens to each customer of a run: drawn from the seed, the same in every process."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from .fault_matrix import FORBIDDEN, VANISHING


class Kind(StrEnum):
    """The course that a conversation takes."""

    PLAIN = "plain"
    CHATTY = "chatty"
    ASLEEP = "asleep"
    CLOSED = "closed"
    OUTREACH = "outreach"
    HANDED = "handed"
    TWOFOLD = "twofold"
    FORBIDDEN = "forbidden"
    VANISHED = "vanished"


_SHARES = {
    Kind.PLAIN: 46,
    Kind.CHATTY: 10,
    Kind.ASLEEP: 14,
    Kind.CLOSED: 4,
    Kind.OUTREACH: 8,
    Kind.HANDED: 8,
    Kind.TWOFOLD: 4,
    Kind.FORBIDDEN: 3,
    Kind.VANISHED: 3,
}
_COMMANDS = {
    Kind.PLAIN: ("reply:r1", "reply:r2"),
    Kind.CHATTY: ("reply:r1", "note:n1", "reply:r2", "reply:r3"),
    Kind.ASLEEP: ("reply:r1",),
    Kind.CLOSED: (),
    Kind.OUTREACH: ("initiate:o1", "reply:r1"),
    Kind.HANDED: ("transfer:t1", "reply:r1", "transfer:t2"),
    Kind.TWOFOLD: ("reply:r1",),
    Kind.FORBIDDEN: ("forbidden:f1", "reply:r1"),
    Kind.VANISHED: (),
}
_TEXTS = {
    Kind.PLAIN: 2,
    Kind.CHATTY: 5,
    Kind.ASLEEP: 2,
    Kind.CLOSED: 2,
    Kind.OUTREACH: 1,
    Kind.HANDED: 1,
    Kind.TWOFOLD: 1,
    Kind.FORBIDDEN: 1,
    Kind.VANISHED: 2,
}


@dataclass(frozen=True, slots=True)
class Command:
    """What the host asks for, in order; ``text`` is None where nothing is sent."""

    kind: str
    key: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Script:
    """One customer's course."""

    number: int
    kind: Kind

    @property
    def customer(self) -> str:
        return f"+1555{2_000_000 + self.number}"

    @property
    def texts(self) -> list[str]:
        """What the customer texts, in order; each is unique in the run."""
        return [self._marked(f"in{place}") for place in range(_TEXTS[self.kind])]

    @property
    def commands(self) -> list[Command]:
        """What the host asks for, in order."""
        pairs = (command.split(":") for command in _COMMANDS[self.kind])
        return [Command(kind, key, self._text_of(kind, key)) for kind, key in pairs]

    @property
    def begins_with_host(self) -> bool:
        return self.kind is Kind.OUTREACH

    @property
    def postable(self) -> set[str]:
        """All texts that CXone can take."""
        asked = {command.text for command in self.commands if command.text}
        return {text for text in {*self.texts, *asked} if not is_refused(text)}

    def _text_of(self, kind: str, key: str) -> str | None:
        return None if kind == "transfer" else self._marked(key, refused=kind == "forbidden")

    def _marked(self, name: str, *, refused: bool = False) -> str:
        last = self.kind is Kind.VANISHED and name == f"in{_TEXTS[self.kind] - 1}"
        mark = f" {FORBIDDEN}" if refused else f" {VANISHING}" if last else ""
        return f"{self.number}/{name} dear customer{mark}"


def is_refused(text: str) -> bool:
    """Whether the platform can only refuse this text."""
    return FORBIDDEN in text or VANISHING in text


def scripts(seed: int, conversations: int) -> list[Script]:
    """The courses of all customers; every kind occurs where there are enough."""
    draw = random.Random(seed)
    drawn = draw.choices(list(_SHARES), weights=list(_SHARES.values()), k=conversations)
    kinds = [*Kind, *drawn][:conversations]
    draw.shuffle(kinds)
    return [Script(number, kind) for number, kind in enumerate(kinds)]
