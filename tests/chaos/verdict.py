"""What went wrong in a run, by name: from the ledger, the store and what was acknowledged.

All empty is what the engine is held to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select

from sms_fsm import Conversation, Engine, Message
from sms_fsm.replay import verify
from sms_fsm.simulator import Simulator
from sms_fsm.store import Database, open_database
from sms_fsm.store.statements import OUTBOX

from .nursery import troubles
from .roles import acknowledged
from .scripts import Script, is_refused
from .site import Site

Problems = Iterator[str]

_FAILURES = frozenset({"failed", "undelivered", "rejected", "expired"})
_PROVABLE = (": 403 ", ": 404 ")
_UNFINISHED = ("queued", "pending", "leased")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Post:
    """A text as the platform took it."""

    message_id: str
    text: str


@dataclass(slots=True)
class Evidence:
    """All that is known when a run is over."""

    site: Site
    simulator: Simulator
    engine: Engine
    scripts: Mapping[str, Script]
    conversations: list[Conversation] = field(default_factory=list)
    posts: dict[str, list[Post]] = field(default_factory=lambda: defaultdict(list))
    failed: set[str] = field(default_factory=set)
    dead: set[tuple[str, int | None]] = field(default_factory=set)

    def gather(self) -> None:
        self._gather_conversations()
        self._gather_ledger()
        self.dead = {(e.conversation, e.message) for e in self.engine.dead_letters()}

    def _gather_conversations(self) -> None:
        after = None
        while page := self.engine.conversations(after=after, limit=_PAGE):
            self.conversations += [self.engine.conversation(found.id) for found in page]
            after = page[-1].id

    def _gather_ledger(self) -> None:
        customers = {c["conversationId"]: _customer(c) for c in self.simulator.conversations}
        for entry in self.simulator.ledger:
            for message in entry.changes.messages:
                customer = customers[message.conversation_id]
                self.posts[customer].append(Post(message.id, message.text))
            failing = (d for d in entry.changes.deliveries if d.wire["status"] in _FAILURES)
            self.failed.update(delivery.message_id for delivery in failing)
            if entry.fault == "F29" and entry.message_id:
                self.failed.add(entry.message_id)

    def is_dead(self, conversation: Conversation, message: Message) -> bool:
        return (conversation.id, message.seq) in self.dead


def verdict(evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """Every check by its name, with what it found."""
    return {name: tuple(check(evidence)) for name, check in CHECKS.items()}


def unfinished(database: Database) -> int:
    """How many effects are still to be carried out."""
    count = select(func.count()).where(OUTBOX.c.state.in_(_UNFINISHED))
    return int(database.read(lambda connection: connection.execute(count).scalar_one()))


# The checks


def _lost_texts(evidence: Evidence) -> Problems:
    """Customers' texts that were accepted, and are not in CXone."""
    texts = {
        f"m-{script.number}-{place}": text
        for script in evidence.scripts.values()
        for place, text in enumerate(script.texts)
    }
    lost = evidence.simulator.judge().lost
    return (message_id for message_id in lost if not is_refused(texts[message_id]))


def _lost_commands(evidence: Evidence) -> Problems:
    """What the host was told was taken, and is not stored."""
    stored: dict[str, set[str]] = {
        conversation.customer: {event.data["key"] for event in _keyed(evidence, conversation)}
        for conversation in evidence.conversations
    }
    by_number = {script.number: script for script in evidence.scripts.values()}
    for name in acknowledged(evidence.site.path):
        number, _, key = name.partition("/")
        script = by_number[int(number)]
        if not {name, key} & stored.get(script.customer, set()):
            yield name


def _keyed(evidence: Evidence, conversation: Conversation) -> Iterator:  # type: ignore[type-arg]  # of events
    events = evidence.engine.history(conversation.id)
    return (event for event in events if event.data.get("key"))


def _not_posted(evidence: Evidence) -> Problems:
    """Stored texts that are neither in CXone nor among the dead letters."""
    for conversation, message in _messages(evidence):
        there = any(p.text == message.text for p in evidence.posts[conversation.customer])
        if not there and not evidence.is_dead(conversation, message):
            yield f"{conversation.id} {message.key}"


def _doubled_references(evidence: Evidence) -> Problems:
    return (d for d in evidence.simulator.judge().duplicate if not d.startswith("conversations"))


def _doubled_conversations(evidence: Evidence) -> Problems:
    return (d for d in evidence.simulator.judge().duplicate if d.startswith("conversations"))


def _sent_again(evidence: Evidence) -> Problems:
    """Texts that CXone took again although no carrier had failed them."""
    for posts in evidence.posts.values():
        taken: dict[str, Post] = {}
        for post in posts:
            before = taken.get(post.text)
            if before is not None and before.message_id not in evidence.failed:
                yield f"{post.message_id} repeats {before.message_id}"
            taken[post.text] = post


def _out_of_order(evidence: Evidence) -> Problems:
    """Conversations whose texts reached CXone in another order than they were taken in."""
    for conversation in evidence.conversations:
        posted = list(dict.fromkeys(p.text for p in evidence.posts[conversation.customer]))
        wanted = [message.text for message in conversation.messages if message.text in posted]
        if posted != wanted:
            yield conversation.id


def _unexpected(evidence: Evidence) -> Problems:
    """What CXone took and nobody had asked for."""
    yield from evidence.simulator.judge().unexpected
    stored = {(c.customer, message.text) for c, message in _messages(evidence)}
    for customer, posts in evidence.posts.items():
        yield from (p.message_id for p in posts if (customer, p.text) not in stored)


def _violations(evidence: Evidence) -> Problems:
    return iter(evidence.simulator.judge().violations)


def _stuck(evidence: Evidence) -> Problems:
    """Effects that wait although everything has come to rest."""
    database = open_database(evidence.site.settings.database_url)
    columns = (OUTBOX.c.id, OUTBOX.c.name, OUTBOX.c.state, OUTBOX.c.reason)
    query = select(*columns).where(OUTBOX.c.state.in_(_UNFINISHED))
    rows = database.read(lambda connection: connection.execute(query).all())
    database.close()
    return (f"{row.id} {row.name} {row.state} {row.reason}" for row in rows)


def _dead_without_proof(evidence: Evidence) -> Problems:
    """Dead letters other than texts that CXone refused for good and does not have."""
    messages = {(c.id, message.seq): (c, message) for c, message in _messages(evidence)}
    for effect in evidence.engine.dead_letters():
        found = messages.get((effect.conversation, effect.message or 0))
        proven = any(sign in (effect.reason or "") for sign in _PROVABLE)
        if found is None or not proven or _has(evidence, *found):
            yield f"{effect.id} {effect.name}: {effect.reason}"


def _has(evidence: Evidence, conversation: Conversation, message: Message) -> bool:
    return any(post.text == message.text for post in evidence.posts[conversation.customer])


def _wrong_word(evidence: Evidence) -> Problems:
    """Outbound texts whose status is not what their carriers said last."""
    delivered = {
        record["message_id"]
        for conversation in evidence.simulator.conversations
        for record in evidence.simulator.deliveries(conversation["conversationId"])
        if record["status"] == "delivered"
    }
    for conversation, message in _messages(evidence):
        if not message.outbound or evidence.is_dead(conversation, message):
            continue
        wanted = "delivered" if delivered & set(message.message_ids) else "failed"
        if message.status != wanted:
            yield f"{conversation.id} {message.key}: {message.status}, not {wanted}"


def _log_diverges(evidence: Evidence) -> Problems:
    """Events that replay decides differently, or a log that does not hold together."""
    path = evidence.site.path / "events.jsonl"
    with path.open("w") as file:
        evidence.engine.export_log(file)
    with path.open() as file:
        report = verify(file)
    if not report.clean:
        yield str(report)[:500]


def _died_by_itself(evidence: Evidence) -> Problems:
    return iter(troubles(evidence.site.path))


def _messages(evidence: Evidence) -> Iterator[tuple[Conversation, Message]]:
    for conversation in evidence.conversations:
        for message in conversation.messages:
            yield conversation, message


def _customer(conversation: Mapping[str, list[dict[str, str]]]) -> str:
    return next(p["address"] for p in conversation["participants"] if p["role"] == "customer")


CHECKS: Mapping[str, Callable[[Evidence], Problems]] = {
    "accepted texts lost": _lost_texts,
    "acknowledged commands lost": _lost_commands,
    "stored texts not posted": _not_posted,
    "references posted twice": _doubled_references,
    "texts sent again without a failure": _sent_again,
    "duplicate conversations": _doubled_conversations,
    "out of order": _out_of_order,
    "unexpected posts": _unexpected,
    "violations of the wire contract": _violations,
    "stuck effects": _stuck,
    "dead letters without proof": _dead_without_proof,
    "statuses other than the carriers'": _wrong_word,
    "replay differs": _log_diverges,
    "processes that died by themselves": _died_by_itself,
}
