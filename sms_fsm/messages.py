"""The values that hosts hand in and get back."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from sms_fsm.errors import InvalidMessage

_LONGEST_IDENTIFIER = 255

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A customer's SMS as the carrier handed it over.

    Args:
        message_id: the carrier's id; taking the same id in twice is harmless.
        from_, to: the customer's and the business's number, E.164 or a short code.
        name, external_customer_id, preferred_language: passed on to the customer participant.
    """

    message_id: str
    from_: str = field(repr=False)
    to: str = field(repr=False)
    text: str = field(repr=False)
    timestamp: datetime | None = None
    name: str | None = field(default=None, repr=False)
    external_customer_id: str | None = None
    preferred_language: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A carrier's word on one message."""

    message_id: str
    conversation_id: str
    status: str
    status_code: str | None = None
    carrier_status: str | None = None
    error_code: str | None = None
    direction: str | None = None
    segments: int | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a call.

    Args:
        conversation: the engine's id, or None while it is not known.
        duplicate: it was taken in before; nothing changed.
        state: the conversation's state after this call's own transaction.
        reason: why a fact moved nothing, or None.
    """

    conversation: str | None
    duplicate: bool
    state: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """What the host's other channel gets to send. ``key`` is the same after a crash."""

    key: str
    conversation: str
    customer: str = field(repr=False)
    business: str = field(repr=False)
    text: str = field(repr=False)
    reason: str
    codes: tuple[str, ...]
    attempts: int


class CarrierWord(Protocol):
    """The fields of a delivery status that decide anything."""

    @property
    def message_id(self) -> str: ...
    @property
    def conversation_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def status_code(self) -> str | None: ...
    @property
    def carrier_status(self) -> str | None: ...
    @property
    def error_code(self) -> str | None: ...


def status_data(word: CarrierWord) -> dict[str, str | None]:
    """A delivery status as checked data; the status word in lower case.

    Raises:
        InvalidMessage: names the field that cannot be used.
    """
    return {
        "message_id": check_identifier(word.message_id, "message_id"),
        "conversation_id": check_identifier(word.conversation_id, "conversation_id"),
        "status": check_identifier(word.status, "status").strip().lower(),
        "status_code": check_optional(word.status_code, "status_code"),
        "carrier_status": check_optional(word.carrier_status, "carrier_status"),
        "error_code": check_optional(word.error_code, "error_code"),
    }


def check_identifier(value: object, name: str) -> str:
    """The value, if it is a usable id, key or code.

    Raises:
        InvalidMessage: it is no text, empty, longer than 255 characters, or holds a control
            character or lone surrogate.
    """
    if not isinstance(value, str):
        raise InvalidMessage(name, f"expected text, got {type(value).__name__}")
    if not value.strip():
        raise InvalidMessage(name, "must not be empty")
    if len(value) > _LONGEST_IDENTIFIER:
        raise InvalidMessage(name, f"longer than {_LONGEST_IDENTIFIER} characters")
    if not (value.isascii() and value.isprintable()) and any(
        unicodedata.category(character) in ("Cc", "Cs") for character in value
    ):
        raise InvalidMessage(name, "holds a control character or a lone surrogate")
    return value


def is_id(value: object) -> bool:
    """Whether it can be the id of something that the engine made."""
    return isinstance(value, str) and value.isascii() and value.isprintable()


def check_is(value: object, kind: type[T], name: str) -> T:
    """The value, if it is of this kind.

    Raises:
        InvalidMessage: it is not.
    """
    if not isinstance(value, kind):
        raise InvalidMessage(name, f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def check_count(value: object, name: str, *, least: int, most: int | None = None) -> int:
    """The value, if it is a whole number within these bounds.

    Raises:
        InvalidMessage: it is not.
    """
    highest = math.inf if most is None else most
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= highest:
        return value
    bounds = f"{least} or more" if most is None else f"{least} to {most}"
    raise InvalidMessage(name, f"expected a whole number, {bounds}")


def check_optional(value: object, name: str) -> str | None:
    """The same for a field that may be absent.

    Raises:
        InvalidMessage: as for `check_identifier`.
    """
    return None if value is None else check_identifier(value, name)


def check_instant(value: object, name: str) -> datetime | None:
    """An aware time in UTC, from a ``datetime`` or RFC 3339 text, or None.

    Raises:
        InvalidMessage: it is neither, or has no time zone.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise InvalidMessage(name, "expected a time with its zone, as RFC 3339 has it")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidMessage(name, "expected a time with its zone, as RFC 3339 has it") from None
