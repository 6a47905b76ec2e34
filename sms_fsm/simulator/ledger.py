"""The append-only ledger: everything that happened to the simulated platform, in order. With a
file each entry is on disk (fsync) before anybody hears of it, so it outlives a killed simulator.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sms_fsm.simulator.records import NO_CHANGES, Changes


class Source(StrEnum):
    """What brought an entry about."""

    REQUEST = "request"
    """A client's call."""
    LATE = "late"
    """A client's earlier call that took effect only now."""
    PLATFORM = "platform"
    """The platform, a carrier, a customer or a test."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Args:
        status: the HTTP status answered (of a webhook: received), None when there was no answer.
        fault: name of the fault that struck.
        violation: the rule of the wire contract that a client broke.
        changes: the new values of what it changed.
    """

    at: datetime
    operation: str
    source: Source = Source.PLATFORM
    conversation_id: str | None = None
    message_id: str | None = None
    client_reference: str | None = None
    status: int | None = None
    fault: str | None = None
    violation: str | None = None
    changes: Changes = field(default=NO_CHANGES, repr=False)


class Ledger:
    """Entries in order; give a path to keep them as JSON Lines and to go on from what is there."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._adapter = TypeAdapter(Entry)
        self.entries: list[Entry] = self._load(path) if path and path.exists() else []

    def append(self, entry: Entry) -> None:
        """Adds an entry, durably if there is a file. The caller serialises calls."""
        if self._path:
            _append_durably(self._path, self.dump(entry) + b"\n")
        self.entries.append(entry)

    def dump(self, entry: Entry) -> bytes:
        """One entry as JSON, without what is at its default."""
        return self._adapter.dump_json(entry, exclude_defaults=True)

    def _load(self, path: Path) -> list[Entry]:
        lines = path.read_bytes().splitlines(keepends=True)
        if lines and not self._whole(lines[-1]):
            # Killed in the middle of a write: nobody was told of that entry.
            os.truncate(path, sum(map(len, lines[:-1])))
            lines.pop()
        return [self._adapter.validate_json(line) for line in lines]

    def _whole(self, line: bytes) -> bool:
        if not line.endswith(b"\n"):
            return False
        try:
            self._adapter.validate_json(line)
        except ValidationError:
            return False
        return True


def _append_durably(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.write(file, line)
        os.fsync(file)
    finally:
        os.close(file)
