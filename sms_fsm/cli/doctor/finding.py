"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as well or as safely as it could."""
    WRONG = "wrong"
    """The engine cannot do its work like this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        subject: what was looked at.
        said: what was found.
        mend: what to do about it; empty where all is well.
    """

    subject: str
    grade: Grade
    said: str
    mend: str = ""


def fine(subject: str, said: str) -> Finding:
    """All is well."""
    return Finding(subject, Grade.OK, said)


def warning(subject: str, said: str, mend: str) -> Finding:
    """It works, but."""
    return Finding(subject, Grade.WARNING, said, mend)


def wrong(subject: str, said: str, mend: str) -> Finding:
    """It cannot work like this."""
    return Finding(subject, Grade.WRONG, said, mend)
