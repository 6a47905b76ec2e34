"""The append-only ledger: everything that happened to the simulated platform, in order. With a
file each entry is on disk (fsync) before anybody hears of it, so it outlives a killed simulator.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

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
        self._syncing = threading.Lock()
        self.entries: list[Entry] = self._load(path) if path and path.exists() else []
        self._synced = len(self.entries)

    def append(self, entry: Entry) -> None:
        """Adds an entry. The caller serialises calls, and tells nobody before ``sync``."""
        if self._path:
            with self._path.open("ab", buffering=0) as file:
                file.write(self.dump(entry) + b"\n")
        self.entries.append(entry)

    def sync(self) -> None:
        """Returns when all entries so far are on disk; callers at the same time share the wait."""
        wanted = len(self.entries)
        if self._path is None or self._synced >= wanted:
            return
        with self._syncing:
            if self._synced < wanted:
                reached = len(self.entries)
                with self._path.open("ab") as file:
                    os.fsync(file.fileno())
                self._synced = reached

    def dump(self, entry: Entry) -> bytes:
        """One entry as JSON, without what is at its default."""
        return _adapter().dump_json(entry, exclude_defaults=True)

    def _load(self, path: Path) -> list[Entry]:
        lines = path.read_bytes().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            # Killed in the middle of a write: nobody was told of that entry.
            os.truncate(path, sum(map(len, lines[:-1])))
            lines.pop()
        return [_adapter().validate_json(line) for line in lines]


@cache
def _adapter() -> TypeAdapter[Entry]:
    """Built once, when first needed: it takes longer than everything else about a simulator."""
    return TypeAdapter(Entry)
