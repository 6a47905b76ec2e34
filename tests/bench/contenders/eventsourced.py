"""``eventsourcing``: load the aggregate, trigger, save; one stored event a text.

It does less than the engine: no row of the conversation, no key, no effect, no row of the text.
Its aggregates are as young as its run, so a load replays a few events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from bench.contenders.contender import Contender
from bench.texts import WORDS, Text


class Talk(Aggregate):
    """One customer's conversation."""

    @event("Began")
    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.state = "routed"

    @event("TextCame")
    def text_came(self, message_id: str, text: str) -> None:
        self.state = "routed"
        self.newest = (message_id, text)


class Eventsourced(Contender):
    """An application with the library's own tables beside the store's."""

    def __init__(self, url: str) -> None:
        self._application: Application[UUID] = Application(env=_environment(url))
        self._talks: dict[str, UUID] = {}

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            talk: Any = self._application.repository.get(self._identity(text.customer))
            talk.text_came(text.message_id, WORDS)
            self._application.save(talk)

    def _identity(self, customer: str) -> UUID:
        if customer not in self._talks:
            talk = Talk(customer)
            self._application.save(talk)
            self._talks[customer] = talk.id
        return self._talks[customer]

    def close(self) -> None:
        self._application.close()


def _environment(url: str) -> dict[str, str]:
    if url.startswith("sqlite"):
        file = url.removeprefix("sqlite:///")
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": f"{file}.events"}
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.removeprefix("/"),
        "POSTGRES_HOST": parts.hostname or parse_qs(parts.query)["host"][0],
        "POSTGRES_PORT": str(parts.port or 5432),
        "POSTGRES_USER": parts.username or "postgres",
        "POSTGRES_PASSWORD": parts.password or "unused",
    }
