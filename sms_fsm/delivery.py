"""What a carrier's word on one message means: its outcome, and whether to try again.

The codes are data (``delivery_codes.csv``), because providers change them. The table lists what
went wrong; a code that it does not list is unknown, never a failure by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Outcome(StrEnum):
    """What became of one message, as far as its carrier has said."""

    PENDING = "pending"
    """On its way, or a status word that nobody has told us the meaning of."""
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The carrier says that it does not know."""


class Retryable(StrEnum):
    """Whether the same message may arrive when it is sent again, unchanged."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """No code decides: the graph's policy does."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one delivery status is to be taken. Only a failed message can be retryable."""

    outcome: Outcome
    retryable: Retryable


@dataclass(frozen=True, slots=True)
class Code:
    """What a vocabulary says of one of its failure codes.

    Args:
        retryable: whether sending again can help.
        opt_out: the customer asked this sender to stop.
    """

    retryable: Retryable
    opt_out: bool


DEFAULT_VOCABULARIES = (
    "smpp-dlr",
    "smpp-message_state",
    "twilio-error",
    "twilio-smpp-err",
    "twilio-status",
)

_OUTCOMES = {
    "queued": Outcome.PENDING,
    "sent": Outcome.PENDING,
    "delivered": Outcome.DELIVERED,
    "failed": Outcome.FAILED,
    "undelivered": Outcome.FAILED,
    "rejected": Outcome.FAILED,
    "expired": Outcome.FAILED,
    "unknown": Outcome.UNKNOWN,
}


def judge(
    status: str,
    *,
    status_code: str | None = None,
    carrier_status: str | None = None,
    error_code: str | None = None,
    vocabularies: Sequence[str] = DEFAULT_VOCABULARIES,
) -> Verdict:
    """Judge one delivery status. The status word, in any case, decides the outcome.

    Whether a failed message is worth another attempt is said by its error code, else by its carrier
    status, else by its status code: the first that one of the tenant's vocabularies (asked in this
    order) lists with a yes or a no. Codes are text: ``0`` and ``000`` are two codes.
    """
    outcome = _OUTCOMES.get(status.casefold(), Outcome.PENDING)
    if outcome is not Outcome.FAILED:
        return Verdict(outcome, Retryable.NO)
    for code in _listed((error_code, carrier_status, status_code), vocabularies):
        if code.retryable is not Retryable.UNKNOWN:
            return Verdict(outcome, code.retryable)
    return Verdict(outcome, Retryable.UNKNOWN)


def is_opt_out_code(*codes: str | None, vocabularies: Sequence[str] = DEFAULT_VOCABULARIES) -> bool:
    """Whether one of the codes says, in one of the vocabularies, that the customer opted out."""
    return any(code.opt_out for code in _listed(codes, vocabularies))


@cache
def load_codes() -> Mapping[str, Mapping[str, Code]]:
    """The table of failure codes: vocabulary → code → what it says. Read once."""
    table: dict[str, dict[str, Code]] = {}
    lines = files("sms_fsm").joinpath("delivery_codes.csv").read_text(encoding="utf-8").splitlines()
    for row in csv.DictReader(lines):
        code = Code(Retryable(row["retryable"]), row["opt_out"] == "yes")
        table.setdefault(row["vocabulary"], {})[row["code"]] = code
    return table


def _listed(codes: Sequence[str | None], vocabularies: Sequence[str]) -> Iterator[Code]:
    table = load_codes()
    for code in filter(None, codes):
        for vocabulary in vocabularies:
            if found := table.get(vocabulary, {}).get(code):
                yield found
