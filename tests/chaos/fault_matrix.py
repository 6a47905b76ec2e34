"""F1 to F30: what can go wrong between the engine and CXone, as the simulator is asked for it.

F1 (nobody answers) is an act of the whole server and F20 (strict query decoding) is always on; all
others are faults that strike single calls or webhooks. F31 to F35 strike the engine, not CXone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sms_fsm.simulator import Fault

FORBIDDEN = "F15!"
"""A text that holds this may not be posted: 403."""
VANISHING = "F16!"
"""A conversation that such a text is posted to is gone: 404."""
APPLIED_LATE_SECONDS = 1.0
"""The latest that a late call is applied; well below the settle time of the harness."""
LAG_SECONDS = 0.5
"""How far a list is behind; with the above still below the settle time."""

_CREATING = ("postMessage", "createConversation")
_ANY = ("findConversations", "getConversation", "updateRouting", *_CREATING)
_TYPES = {
    "status": '"type": "delivery.status"',
    "delivered": '"status": "delivered"',
}
MARKS = (FORBIDDEN, VANISHING)
_OVER_THE_CAP = 9_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix: ``faults`` are its variants."""

    title: str
    faults: tuple[Fault, ...] = ()


def _creating(kind: str, **how: object) -> tuple[Fault, ...]:
    return tuple(Fault(operation, kind, **how) for operation in _CREATING)  # type: ignore[arg-type]  # the fields of a fault


def _each(operation: str, *kinds: str, **how: object) -> tuple[Fault, ...]:
    return tuple(Fault(operation, kind, **how) for kind in kinds)  # type: ignore[arg-type]  # the fields of a fault


def _rate_limited() -> tuple[Fault, ...]:
    headers = (None, "1", 0, "soon", "Wed, 21 Oct 2015 07:28:00 GMT")
    return tuple(
        Fault(operation, "status", status=429, retry_after=value)
        for value in headers
        for operation in _ANY
    )


def _any(*kinds: str, **how: object) -> tuple[Fault, ...]:
    return tuple(fault for operation in _ANY for fault in _each(operation, *kinds, **how))


def _tokens() -> tuple[Fault, ...]:
    refused = ((503, ""), (400, "invalid_grant"), (401, "invalid_client"))
    return (
        *(Fault("issueToken", "status", status=status, code=code) for status, code in refused),
        *_each("issueToken", "hang", "reset", "garbage", "no_refresh_token"),
        *(Fault("issueToken", "expires_in", value=value) for value in (None, 0, -1, "3600")),
    )


def _lost_updates() -> tuple[Fault, ...]:
    operations = ("updateConversation", "updateRouting")
    return tuple(Fault(operation, kind) for operation in operations for kind in ("reset", "hang"))


MATRIX: Mapping[str, Row] = {
    "F1": Row("connection refused"),
    "F2": Row("reset before the request is read", _each("connect", "reset")),
    "F3": Row("applied, then reset", _creating("reset")),
    "F4": Row("applied, answer never comes", _creating("hang")),
    "F5": Row("not applied, answer never comes", _creating("hang", applied=False)),
    "F6": Row(
        "late application",
        (
            *_creating("late", late_seconds=APPLIED_LATE_SECONDS),
            *_creating("hang", late_seconds=APPLIED_LATE_SECONDS / 2),
        ),
    ),
    "F7": Row(
        "5xx or 408, applied or not",
        tuple(
            fault
            for status in (500, 502, 503, 504, 408)
            for fault in _creating("status", status=status, applied=0.5)
        ),
    ),
    "F8": Row("429 with any Retry-After", _rate_limited()),
    "F9": Row(
        "2xx that cannot be read",
        _each(
            "postMessage",
            "truncate",
            "bad_chunks",
            "garbage",
            "empty",
            "error_body",
            "no_id",
            "wrong_id",
        )
        + _each("createConversation", "truncate", "garbage", "no_id"),
    ),
    "F10": Row("slow drip", _creating("slow", seconds=0.1)),
    "F11": Row("huge answer, gzip bomb", _any("huge", "gzip_bomb", size=_OVER_THE_CAP)),
    "F12": Row("redirect to another host", _any("redirect")),
    "F13": Row("401", _any("status", status=401) + _any("revoke")),
    "F14": Row("token endpoint fails", _tokens()),
    "F15": Row(
        "403 scope missing",
        (Fault("postMessage", "status", status=403, containing=FORBIDDEN),),
    ),
    "F16": Row(
        "404 conversation vanished",
        (
            Fault("postMessage", "status", status=404),
            Fault("postMessage", "vanish", containing=VANISHING),
        ),
    ),
    "F17": Row(
        "409 between check and call",
        (
            Fault("postMessage", "archive"),
            Fault("updateRouting", "archive"),
            Fault("postMessage", "close"),
        ),
    ),
    "F18": Row("update applied but unanswered", _lost_updates()),
    "F19": Row(
        "look-up lags, is stale, cut, or of others",
        (
            Fault("findConversations", "lag", seconds=LAG_SECONDS),
            Fault("findConversations", "seem_active"),
            Fault("findConversations", "page", size=1),
            Fault("findConversations", "unfiltered"),
        ),
    ),
    "F20": Row("a bare + is a space"),
    "F21": Row(
        "message list reordered, cut, behind",
        (
            Fault("listMessages", "reorder"),
            Fault("listMessages", "page", size=1),
            Fault("listMessages", "first_page", size=1),
            Fault("listMessages", "lag", seconds=LAG_SECONDS),
        ),
    ),
    "F22": Row("webhook comes several times", _each("webhook", "repeat", size=5)),
    "F23": Row(
        "webhooks reordered, before the answer",
        (Fault("webhook", "hold"), Fault("postMessage", "early")),
    ),
    "F24": Row("webhook about the unknown", _each("webhook", "stray")),
    "F25": Row("webhook lost", _each("webhook", "drop", containing=_TYPES["status"])),
    "F26": Row(
        "hostile webhook",
        _each("webhook", "forge", "outdate", "cut", "garble", "deepen", "mistype")
        + _each("webhook", "inflate", size=300_000),
    ),
    "F27": Row("sender hangs up early", _each("webhook", "abort")),
    "F28": Row("webhooks while no worker runs"),
    "F29": Row(
        "contradictory words", _each("webhook", "contradict", containing=_TYPES["delivered"])
    ),
    "F30": Row(
        "routing update ignored or clearing",
        (
            *_each("updateRouting", "ignore", "clear_routing"),
            Fault("updateConversation", "ignore"),
        ),
    ),
}

AMBIGUOUS = ("F3", "F4", "F5", "F6", "F7")
"""Those after which nobody knows whether the call was applied."""


def variants(name: str) -> tuple[Fault, ...]:
    """The faults of one row, each counted under the row's name and striking once."""
    return tuple(replace(fault, label=name, times=1) for fault in MATRIX[name].faults)


def standing() -> tuple[Fault, ...]:
    """The faults that strike all marked texts, always."""
    marked = [(n, f) for n, row in MATRIX.items() for f in row.faults if f.containing in MARKS]
    return tuple(replace(fault, label=name, probability=1) for name, fault in marked)


def wanted(usual: int, ambiguous: int) -> dict[str, int]:
    """How often each row is to strike."""
    return {name: ambiguous if name in AMBIGUOUS else usual for name in MATRIX}
