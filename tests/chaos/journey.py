"""A short journey of three conversations through all calls, by one process that may not survive.

It asks again for whatever it was not told is done, with the same keys, as a host would.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path

import requests
from sqlalchemy import func, select

from sms_fsm import DeliveryStatus, Engine, InboundMessage, StoreUnavailable
from sms_fsm.failpoints import listening
from sms_fsm.store import open_database
from sms_fsm.store.statements import OUTBOX

from .site import BUSINESS, Site

Step = Callable[[Engine, "Cast"], None]

_REST_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.05
_UNFINISHED = ("queued", "pending", "leased")


class Cast:
    """The three customers of a journey and what is said.

    The site's seed keeps numbers and texts apart from those of other journeys.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.asker, self.mover, self.called = (
            f"+1555{3_000_000 + 3 * site.seed + place}" for place in range(3)
        )

    @property
    def expected(self) -> dict[str, list[str]]:
        """What must be in CXone in the end, by customer, in order."""
        return {
            self.asker: [self.own(text) for text in ("hello", "how are you?", "back again")],
            self.mover: [self.own(text) for text in ("hi", "one moment")],
            self.called: [self.own("your parcel is here")],
        }

    def own(self, text: str) -> str:
        """The text as no other journey says it."""
        return f"{text} ({self.site.seed})"


def _text(customer: str, text: str, engine: Engine) -> None:
    message = InboundMessage(f"{customer}/{text}", from_=customer, to=BUSINESS, text=text)
    engine.receive(message)


def _identity(engine: Engine, customer: str) -> str:
    found = engine.find(customer=customer, business=BUSINESS)
    if found is None:
        raise LookupError("it was acknowledged, and is not there")
    return found.id


def _ask(engine: Engine, cast: Cast) -> None:
    _text(cast.asker, cast.own("hello"), engine)


def _greet(engine: Engine, cast: Cast) -> None:
    _text(cast.mover, cast.own("hi"), engine)


def _call(engine: Engine, cast: Cast) -> None:
    key = f"call {cast.called}"
    engine.initiate(to=cast.called, from_=BUSINESS, text=cast.own("your parcel is here"), key=key)


def _reply(engine: Engine, cast: Cast) -> None:
    engine.reply(_identity(engine, cast.asker), cast.own("how are you?"), key="reply")


def _reply_and_hand_over(engine: Engine, cast: Cast) -> None:
    identity = _identity(engine, cast.mover)
    engine.reply(identity, cast.own("one moment"), key="reply")
    engine.transfer(identity, queue_id="queue_billing", key="hand over")


def _report(engine: Engine, cast: Cast) -> None:
    """The carriers say that everything was delivered."""
    for customer in cast.expected:
        conversation = engine.conversation(_identity(engine, customer))
        for message in conversation.messages:
            for message_id in message.message_ids if message.outbound else ():
                status = DeliveryStatus(
                    message_id, str(conversation.conversation_id), status="delivered"
                )
                engine.record(status)


def _fall_asleep(engine: Engine, cast: Cast) -> None:
    """CXone archives it, and says nothing; so does the host."""
    identity = _identity(engine, cast.asker)
    remote = engine.conversation(identity).conversation_id
    url = f"{cast.site.cxone_url}/simulator/archive"
    requests.post(url, json={"conversation_id": remote, "notify": False}, timeout=10)
    engine.archive(identity, key="archive")


def _come_back(engine: Engine, cast: Cast) -> None:
    _text(cast.asker, cast.own("back again"), engine)


def _come_to_rest(engine: Engine, cast: Cast) -> None:
    """Go on until nothing is left to be done, what others left behind included."""
    until = time.monotonic() + _REST_SECONDS
    while time.monotonic() < until:
        with suppress(StoreUnavailable):
            engine.drain()
            if not unfinished(cast.site):
                return
        time.sleep(_LOOK_EVERY_SECONDS)


STEPS: Mapping[str, Step] = {
    "ask": _ask,
    "greet": _greet,
    "call": _call,
    "rest 1": _come_to_rest,
    "reply": _reply,
    "hand over": _reply_and_hand_over,
    "rest 2": _come_to_rest,
    "report": _report,
    "fall asleep": _fall_asleep,
    "come back": _come_back,
    "rest 3": _come_to_rest,
}


def travel(site: Site, stop: threading.Event) -> None:
    """All steps that were not acknowledged yet, until everything has come to rest."""
    with site.engine(stop) as engine:
        for name, step in STEPS.items():
            while name not in _acknowledged(site.path):
                with suppress(StoreUnavailable):
                    step(engine, Cast(site))
                    _acknowledge(site.path, name)


def scout(site: Site, stop: threading.Event) -> None:
    """The same journey; notes every failpoint that it passes."""
    with (site.path / "passed").open("a") as file:

        def note(point: str, subject: str) -> None:
            file.write(json.dumps((point, subject)) + "\n")

        with listening(note):
            travel(site, stop)


def _acknowledged(folder: Path) -> list[str]:
    path = folder / "acknowledged"
    return path.read_text().splitlines() if path.exists() else []


def _acknowledge(folder: Path, name: str) -> None:
    """Note it, as soon as this process can write files again."""
    while True:
        with suppress(OSError), (folder / "acknowledged").open("ab", buffering=0) as file:
            file.write(f"{name}\n".encode())
            return
        time.sleep(_LOOK_EVERY_SECONDS)


def unfinished(site: Site) -> int:
    """Effects that are still to be carried out, polls of what is settled left out."""
    waiting = OUTBOX.c.state.in_(_UNFINISHED) & (OUTBOX.c.name != "PollDelivery")
    with closing(open_database(site.settings.database_url)) as database:
        count = select(func.count()).where(waiting)
        return int(database.read(lambda connection: connection.execute(count).scalar_one()))
