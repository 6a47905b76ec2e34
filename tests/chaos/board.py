"""Shared memory in which processes say where they are, so that they can be killed at work."""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from sms_fsm.failpoints import Listener

_SLOT = struct.Struct("Qd16s24s")
_PLACES = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """The last failpoint that a process passed, how many it passed, and when (monotonic)."""

    passed: int
    at: float
    point: str
    subject: str

    @property
    def seconds_ago(self) -> float:
        return time.monotonic() - self.at


class Board:
    """A file of slots, one for each process; the file is made when it is not there."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SLOT.size * _PLACES))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def listener(self, place: int) -> Listener:
        """Notes every failpoint that its process passes."""
        passed = 0

        def note(point: str, subject: str) -> None:
            nonlocal passed
            passed += 1
            self._write(place, passed, point, subject)

        return note

    def clear(self, place: int) -> None:
        self._write(place, 0, "", "")

    def note_end(self, place: int) -> None:
        """The process came to its proper end."""
        self._write(place, 0, "ended", "")

    def read(self, place: int) -> Seen:
        passed, at, point, subject = _SLOT.unpack_from(self._memory, place * _SLOT.size)
        return Seen(passed, at, _text(point), _text(subject))

    def _write(self, place: int, passed: int, point: str, subject: str) -> None:
        slot = (passed, time.monotonic(), point.encode(), subject.encode())
        _SLOT.pack_into(self._memory, place * _SLOT.size, *slot)


def _text(padded: bytes) -> str:
    return padded.rstrip(b"\0").decode()
