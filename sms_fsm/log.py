"""The event log as records: what is written of a step, and the chain that seals it.

A record is canonical JSON. Its hash covers the hash before it, so that an edited, removed or
reordered record is found. It holds digests and classified facts, never a text or a number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from sms_fsm.machine import Step


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of a conversation's log.

    Args:
        seq: number within the conversation, from 1.
        name: of the event.
        source, target: states before and after; equal when it moved nothing.
        data: what the decision depended on.
        effects: names of the effects and timers that it planned.
        at: when the engine learned of it.
        transition: id of the rule that applied, or None.
        guards: the guards that were asked, with their answers.
        refused: it was a command that the graph did not allow.
    """

    seq: int
    name: str
    source: str
    target: str
    data: Mapping[str, Any] = field(repr=False)
    effects: tuple[str, ...]
    at: datetime
    transition: str | None = None
    guards: tuple[tuple[str, bool], ...] = ()
    refused: bool = False


def log_record(step: Step) -> str:
    """The canonical JSON of a step."""
    return orjson.dumps(
        {
            "conversation": step.after.id,
            "seq": step.after.seq,
            "name": step.event.name,
            "at": step.event.at.isoformat(timespec="microseconds"),
            "source": step.before.state,
            "target": step.after.state,
            "transition": step.transition.id if step.transition else None,
            "guards": [[name, answer] for name, answer in step.asked],
            "data": dict(step.event.data),
            "effects": [planned.to_data() for planned in step.planned],
            "cancelled": [cancellation.to_data() for cancellation in step.cancelled],
            "refused": step.refused,
            "graph": step.before.graph_hash,
        },
        option=orjson.OPT_SORT_KEYS,
    ).decode()


def chained(previous_hash: str, record: str) -> str:
    """SHA-256 of the hash before and the record, as lower-case hex."""
    return hashlib.sha256(f"{previous_hash}\n{record}".encode()).hexdigest()


def logged_event(record: str) -> LoggedEvent:
    """A record as people and hosts read it."""
    data = orjson.loads(record)
    return LoggedEvent(
        seq=data["seq"],
        name=data["name"],
        source=data["source"],
        target=data["target"],
        data=data["data"],
        effects=tuple(effect["name"] for effect in data["effects"]),
        at=datetime.fromisoformat(data["at"]),
        transition=data["transition"],
        guards=tuple((name, answer) for name, answer in data["guards"]),
        refused=data["refused"],
    )


def sealed(record: str, seal: str, *, last: int | None = None, of: int | None = None) -> str:
    """A record with its hash, as one line of an exported log.

    Args:
        last: the record ends its conversation, which is the how-manieth of the log: so a removed
            tail is found, and a conversation that was removed whole. Older logs have True here.
        of: it ends the log, too, which has so many conversations.
    """
    end = "" if last is None else f',"last":{str(last).lower()}'
    whole = "" if of is None else f',"of":{of}'
    return f'{record[:-1]},"hash":"{seal}"{end}{whole}}}'


def sealed_lines(log: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The lines of an exported log, from records and hashes by conversation and number."""
    rest = iter(log)
    entry, number = next(rest, None), 1
    while entry is not None:
        following = next(rest, None)
        if following is None:
            yield sealed(*entry, last=number, of=number)
        elif _owner(following[0]) != _owner(entry[0]):
            yield sealed(*entry, last=number)
            number += 1
        else:
            yield sealed(*entry)
        entry = following


def _owner(record: str) -> str:
    owner: str = orjson.loads(record)["conversation"]
    return owner


def unsealed(line: bytes) -> bytes | None:
    """Of a line that `sealed` made: the raw record without its last brace.

    It is cut out of the text, because a record that is parsed and written again may differ. None
    if the line was written by something else.
    """
    end = line.rfind(b',"hash":"')
    return None if end < 0 else line[:end]
