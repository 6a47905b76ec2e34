"""Runs the scenarios one after the other and prints a table.

make load                 shortened, a few minutes
make load LOAD=full       60 s at 100 and 300 webhooks a second, 50 copies of 1,000 keys
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sms_fsm import Engine, Settings

from .senders import Answers, crawling, crowd, open_loop
from .stage import Stage, as_body, bare_endpoint, simulated_cxone

_FULL = os.environ.get("LOAD") == "full"
_RATE = 100
_FAST = 300
_SECONDS = 60 if _FULL else 12
_WARM_SECONDS = 3
_LOCKED_SECONDS = 5
_KEYS = 1_000 if _FULL else 100
_COPIES = 50
_CRAWLERS = 200
_STORM_SECONDS = 10 if _FULL else 2
_CUSTOMERS = 100
_ids = count()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    answers: Answers
    held: str

    def __str__(self) -> str:
        found = self.answers
        codes = " ".join(f"{code}:{number}" for code, number in sorted(found.codes.items()))
        times = (found.percentile(0.5), found.percentile(0.99), max(found.seconds), found.slowest)
        told = "".join(f"{1000 * seconds:>8.1f}" for seconds in times)
        return f"{self.name:<38}{told}  {codes:<22}{self.held}"


def texts(number: int) -> list[bytes]:
    """Texts of a hundred customers, each with its own id."""
    return [
        as_body(
            {
                "type": "message.received",
                "data": {
                    "message_id": f"m-{(n := next(_ids))}",
                    "from": f"+1555123{n % _CUSTOMERS:04d}",
                    "to": "+18885550100",
                    "text": f"text {n}",
                },
            }
        )
        for _ in range(number)
    ]


def bare(rate: int) -> Row:
    """What there is to compare with."""
    with tempfile.TemporaryDirectory() as folder, bare_endpoint(Path(folder)) as port:
        return Row(f"bare endpoint, {rate}/s", _warm(port, rate), "")


def received(stage: Stage) -> Row:
    """From the webhook to the commit alone: nobody works."""
    with stage.serving("--no-worker") as port:
        answers = _warm(port, _FAST)
    return Row(f"service without workers, {_FAST}/s", answers, stored(stage, answers))


def _warm(port: int, rate: int) -> Answers:
    """What comes after the first seconds, in which a service imports and compiles."""
    open_loop(port, texts(rate * _WARM_SECONDS), rate)
    return open_loop(port, texts(rate * _SECONDS), rate)


def steady(stage: Stage) -> Row:
    with stage.serving() as port:
        answers = open_loop(port, texts(_RATE * _SECONDS), _RATE)
    return Row(f"service with workers, {_RATE}/s", answers, stored(stage, answers))


def locked(stage: Stage) -> Row:
    with stage.serving() as port:
        timer = threading.Thread(target=_lock, args=(stage,))
        timer.start()
        answers = open_loop(port, texts(_RATE * _SECONDS), _RATE)
        timer.join()
    return Row(f"the store locked for {_LOCKED_SECONDS} s", answers, stored(stage, answers))


def _lock(stage: Stage) -> None:
    time.sleep(2)
    with stage.locked():
        time.sleep(_LOCKED_SECONDS)


def crawled(stage: Stage) -> Row:
    with stage.serving() as port, crawling(port, _CRAWLERS):
        answers = open_loop(port, texts(_RATE * _SECONDS), _RATE)
    return Row(f"beside {_CRAWLERS} crawling sockets", answers, stored(stage, answers))


def copied(stage: Stage) -> Row:
    """Each callback many times at once moves its message once."""
    words = _posted(stage)
    bodies = [word for word in words for _ in range(_COPIES)]
    with stage.serving("--no-worker") as port:
        answers = crowd(port, bodies)
    moved = stage.count("DeliveryReported")
    verdict = "ok" if moved == len(words) else "WRONG"
    return Row(f"{_COPIES} copies of {len(words)} keys", answers, f"{verdict}: {moved} transitions")


def _posted(stage: Stage) -> list[bytes]:
    """The carriers' word on each of many replies that CXone took."""
    names = ("database_url", "cxone_url", "client_id", "client_secret", "queue_id")
    values = {name: stage.environment[f"SMS_FSM_{name.upper()}"] for name in names}
    with Engine.from_settings(Settings(**values)) as engine:
        for number in range(_KEYS):
            to = f"+1555124{number % 20:04d}"
            engine.initiate(to=to, from_="+18885550100", text="Hello!", key=f"k-{number}")
        engine.drain()
    rows = stage.ask("SELECT message_id, conversation_id FROM post")
    return [
        as_body(
            {
                "type": "delivery.status",
                "data": {
                    "message_id": message_id,
                    "conversation_id": conversation_id,
                    "status": "delivered",
                },
            }
        )
        for message_id, conversation_id in rows
        if message_id
    ][:_KEYS]


def storm(stage: Stage) -> Row:
    """Ten times as much while nobody works; then somebody does."""
    with stage.serving("--no-worker") as port:
        answers = open_loop(port, texts(10 * _RATE * _STORM_SECONDS), 10 * _RATE)
    with stage.working():
        held = f"{stored(stage, answers)}, {_drained(stage, answers.codes[200])}"
    return Row(f"a storm of {10 * _RATE}/s, no worker", answers, held)


def _drained(stage: Stage, number: int) -> str:
    began = time.monotonic()
    while stage.count("MessagePosted") < number and time.monotonic() - began < 120:
        time.sleep(0.5)
    seconds = time.monotonic() - began
    return f"{stage.count('MessagePosted')} posted in {seconds:.0f} s, {_order(stage)}"


def _order(stage: Stage) -> str:
    """Whether each conversation's texts were posted in the order in which they came."""
    query = (
        "SELECT conversation, json_extract(record, '$.data.message') FROM event_log "
        "WHERE json_extract(record, '$.name') = 'MessagePosted' ORDER BY conversation, seq"
    )
    last: dict[str, int] = {}
    for conversation, message in stage.ask(query):
        if message < last.get(conversation, 0):
            return "OUT OF ORDER"
        last[conversation] = message
    return "in order"


def stored(stage: Stage, answers: Answers) -> str:
    """Whether every 200 has its row."""
    rows = stage.count("MessageReceived")
    return f"{'ok' if rows >= answers.codes[200] else 'LOST'}: {rows} rows"


@contextmanager
def new_stage(cxone_url: str) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield Stage(Path(folder), cxone_url)


def main() -> None:
    """Print each line as soon as it is known."""
    heading = f"{'p50':>8}{'p99':>8}{'max':>8}{'answer':>8}"
    print(f"{'milliseconds':<38}{heading}  {'answers':<22}held")
    for rate in (_RATE, _FAST):
        print(bare(rate), flush=True)
    scenarios: tuple[Callable[[Stage], Row], ...] = (
        received,
        steady,
        locked,
        crawled,
        copied,
        storm,
    )
    for scenario in scenarios:
        with simulated_cxone() as cxone_url, new_stage(cxone_url) as stage:
            print(scenario(stage), flush=True)


if __name__ == "__main__":
    main()
