"""Faults on request: which call they strike, how often, and what they do."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sms_fsm.simulator.operations import OPERATIONS

ACTS = {
    "archive": "the conversation is archived",
    "close": "the conversation is closed for good",
    "vanish": "the conversation is gone",
    "revoke": "all access tokens are revoked",
    "twin": "a second conversation like the oldest match is there (findConversations)",
}
"""What the platform does just before it looks at the call."""
DISTORTIONS = {
    "status": "an error is answered",
    "late": "an error is answered, and the call applied later",
    "redirect": "another place is named, with 307",
    "garbage": "the body is HTML",
    "empty": "there is no body",
    "error_body": "200 with an error as its body",
    "no_id": "the body lacks its id",
    "wrong_id": "the id is a number",
    "lag": "the list lacks what is newer than some seconds",
    "page": "the list ends after some items",
    "first_page": "the same, wherever it was asked to go on (listMessages)",
    "reorder": "the list comes in any order",
    "unfiltered": "the look-up finds all conversations of everybody",
    "seem_active": "the look-up shows every conversation of the address as active",
    "drop_metadata": "messages are stored without metadata",
    "drop_properties": "participants are stored without properties",
    "ignore": "200, but nothing was changed (updateConversation, updateRouting)",
    "clear_routing": "200, but the routing is cleared (updateConversation, updateRouting)",
    "expires_in": "the token's expires_in is odd",
    "no_refresh_token": "the token comes without a refresh token",
    "early": "the carriers' words come before the answer (postMessage)",
}
"""How the answer, or what is stored, is not what it should be."""
MANNERS = {
    "reset": "the connection is reset",
    "hang": "no answer comes",
    "slow": "the body comes byte by byte",
    "truncate": "half the body comes",
    "bad_chunks": "a chunk without a size comes",
    "huge": "the body comes after very much white space",
    "gzip_bomb": "the same, compressed to very little",
}
"""What happens on its way to an answer that is right."""
WEBHOOK_KINDS = {
    "drop": "it never comes",
    "hold": "it comes later than those after it",
    "repeat": "it comes several times",
    "array": "it comes twice in one array",
    "abort": "the sender hangs up before the answer, and sends it again",
    "forge": "one with a wrong signature comes before it",
    "outdate": "one signed ten minutes ago comes before it",
    "cut": "half of it comes before it",
    "inflate": "one with very much white space comes before it",
    "garble": "one that is no UTF-8 comes before it",
    "deepen": "very many nested brackets come before it",
    "mistype": "one with fields of a wrong type comes before it",
    "stray": "one about a message that nobody knows comes before it",
    "contradict": "one that says failed comes before it, if it says delivered",
}
"""What can happen to a webhook."""
_UNAPPLIED = ("status", "redirect")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. By default it strikes the next matching call, once.

    Args:
        operation: an operationId, ``*`` (any), ``connect`` (a new connection is reset) or
            ``webhook``.
        kind: what happens: see ``ACTS``, ``DISTORTIONS``, ``MANNERS``, ``WEBHOOK_KINDS``.
        times: how often it strikes; without it once, or without end if there is a probability.
        probability: share of the matching calls that it strikes.
        nth: it strikes from the n-th matching call on, counted from 1.
        containing: it strikes only calls whose path, query or body contains this.
        applied: whether the platform applies the call nonetheless; a number is the probability of
            that. Default: yes, but for ``status`` and ``redirect`` no.
        status: of ``status`` (503) and ``late`` (504); ``code`` and ``retry_after`` go with it.
        location: of ``redirect``. value: of ``expires_in``; None leaves it out.
        seconds: ``hang``: how long (default: until a side hangs up); ``slow``: pause between bytes;
            ``lag``: how far the list is behind, by the simulator's clock; ``hold``: how long (1).
        late_seconds: the call is applied only so much later, by the simulator's clock or, with
            ``real``, the real one. ``late`` without it: drawn between 0 and the settle time.
        size: ``huge``, ``gzip_bomb``, ``inflate``: bytes; ``page``, ``first_page``: items;
            ``repeat``: copies.
        label: the name to be counted under, by default the kind.

    Raises:
        ValueError: there is no such operation or kind.
    """

    operation: str
    kind: str
    times: int | None = None
    probability: float | None = None
    nth: int | None = None
    containing: str = ""
    applied: float | None = None
    status: int | None = None
    code: str = ""
    retry_after: str | int | None = None
    location: str = "http://redirected.invalid/"
    value: Any = None
    seconds: float | None = None
    late_seconds: float | None = None
    real: bool = False
    size: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        special = {"webhook": tuple(WEBHOOK_KINDS), "connect": ("reset",)}
        operations = (*OPERATIONS, "issueToken", "*", *special)
        _require("operation", self.operation, operations)
        _require("kind", self.kind, special.get(self.operation, (*ACTS, *DISTORTIONS, *MANNERS)))

    @property
    def name(self) -> str:
        """What it is counted under."""
        return self.label or self.kind

    @property
    def is_late(self) -> bool:
        return self.kind == "late" or self.late_seconds is not None

    @property
    def likely_applied(self) -> float:
        """Probability that the platform applies the call at once."""
        if self.applied is not None:
            return float(self.applied)
        return 0.0 if self.kind in _UNAPPLIED else 1.0


def _require(field_name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"{field_name}: {value!r} is none of {', '.join(known)}")


@dataclass(slots=True)
class _Armed:
    """A fault and its counts."""

    fault: Fault
    seen: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as asked."""
        fault = self.fault
        limit = 1 if fault.times is None and fault.probability is None else fault.times
        return limit is not None and self.struck >= limit

    def strikes(self, draw: random.Random) -> bool:
        """Whether it strikes the call that was just seen."""
        fault = self.fault
        if self.spent or self.seen < (fault.nth or 1):
            return False
        return fault.probability is None or draw.random() < fault.probability


@dataclass(slots=True)
class FaultPlan:
    """The faults on request, in order. All chance comes from ``draw``. Thread-safe."""

    draw: random.Random
    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """From now on."""
        with self._lock:
            self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """No faults from now on."""
        with self._lock:
            self._armed.clear()

    def pick(self, operation: str, content: str = "") -> Fault | None:
        """The fault that strikes this call: the first one that is due."""
        with self._lock:
            matching = [a for a in self._armed if _matches(a.fault, operation, content)]
            for armed in matching:
                armed.seen += 1
            striking = next((a for a in matching if a.strikes(self.draw)), None)
            if striking is None:
                return None
            striking.struck += 1
            if striking.spent:
                self._armed.remove(striking)
            return striking.fault


def _matches(fault: Fault, operation: str, content: str) -> bool:
    if fault.operation == "*":
        return operation not in ("connect", "webhook") and fault.containing in content
    return fault.operation == operation and fault.containing in content
