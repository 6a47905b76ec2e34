"""Judges from the platform's records what a client lost, doubled, mixed up or broke."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Conversation, Json, Message, Origin, Sending, Webhook

Pair = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What went wrong; all empty is what a client is held to.

    Args:
        lost: expected references that were never posted, and carrier ids of customers' texts
            whose webhook was accepted but which were not posted.
        duplicate: references that were posted more than once, and conversations too many.
        unexpected: messages with no or another reference than expected, and inbound messages
            beyond the texts that customers sent.
        out_of_order: messages that came before one that should have come earlier.
        violations: broken rules of the wire contract, as ``operation: rule``.
    """

    lost: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    out_of_order: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not any(getattr(self, column.name) for column in fields(self))


def judge(platform: Platform, expected_references: Iterable[str] | None = None) -> Verdict:
    """The verdict so far. A sequence of expected references also sets the order to be held
    within each conversation; a set does not.
    """
    texts = _texts(platform)
    verdicts = [_judge_records(platform)]
    verdicts += [_judge_texts(platform, customer, sent) for customer, sent in texts.items()]
    if expected_references is not None:
        verdicts.append(_judge_references(platform, expected_references))
    names = [column.name for column in fields(Verdict)]
    return Verdict(**{n: tuple(one for v in verdicts for one in getattr(v, n)) for n in names})


def _judge_records(platform: Platform) -> Verdict:
    entries = platform.ledger.entries
    return Verdict(
        duplicate=(*_twice(platform.messages.values()), *_conversations_too_many(platform)),
        violations=tuple(f"{e.operation}: {e.violation}" for e in entries if e.violation),
    )


def _twice(messages: Iterable[Message]) -> Iterator[str]:
    counts = Counter(m.client_reference for m in messages if m.client_reference)
    return (reference for reference, count in counts.items() if count > 1)


def _conversations_too_many(platform: Platform) -> Iterator[str]:
    by_reference: dict[str, list[Conversation]] = defaultdict(list)
    open_ones: dict[Pair, list[Conversation]] = defaultdict(list)
    for conversation in platform.conversations.values():
        if conversation.client_reference and conversation.origin is Origin.API:
            by_reference[conversation.client_reference].append(conversation)
        if not conversation.closed and not conversation.vanished:
            open_ones[conversation.customer, conversation.business_address].append(conversation)
    groups = {tuple(c.id for c in group) for group in by_reference.values() if len(group) > 1}
    groups |= {tuple(c.id for c in group) for group in open_ones.values() if _too_many(group)}
    return (f"conversations {' '.join(group)}" for group in sorted(groups))


def _too_many(conversations: Sequence[Conversation]) -> bool:
    """Several open ones for a pair, at least one of them made by a client."""
    made = any(c.origin is Origin.API for c in conversations)
    return made and len(conversations) > 1


def _judge_references(platform: Platform, expected: Iterable[str]) -> Verdict:
    places = {reference: place for place, reference in enumerate(expected)}
    posted = [m.client_reference or m.id for m in platform.messages.values()]
    return Verdict(
        lost=tuple(reference for reference in places if reference not in set(posted)),
        unexpected=tuple(reference for reference in posted if reference not in places),
        out_of_order=_out_of_order(platform, places) if isinstance(expected, Sequence) else (),
    )


def _out_of_order(platform: Platform, places: dict[str, int]) -> tuple[str, ...]:
    late: list[str] = []
    for conversation_id in platform.conversations:
        references = (m.client_reference for m in platform.messages_of(conversation_id))
        known = [r for r in dict.fromkeys(references) if r in places]
        late += _behind([(reference, places[reference]) for reference in known])
    return tuple(late)


def _behind(placed: Iterable[tuple[str, int]]) -> Iterator[str]:
    highest = -1
    for name, place in placed:
        if place < highest:
            yield name
        highest = max(highest, place)


@dataclass(frozen=True, slots=True)
class _Post:
    """An inbound message that the client posted."""

    id: str
    conversation_id: str
    business: str | None
    text: str


@dataclass(frozen=True, slots=True)
class _Text:
    """A customer's text that the client took in, somewhen between two places in the ledger."""

    message_id: str
    business: str
    text: str
    sent: int
    accepted: int


def _texts(platform: Platform) -> dict[str, list[_Text]]:
    """Texts whose webhook was accepted, by customer, each once, in the order of acceptance."""
    texts: dict[str, dict[str, _Text]] = defaultdict(dict)
    sent: dict[str, int] = {}
    for place, entry in enumerate(platform.ledger.entries):
        for data, sending in _received(entry.changes.webhooks):
            first = sent.setdefault(data["message_id"], place)
            text = _Text(data["message_id"], data["to"], data["text"], first, place)
            if sending is Sending.ACCEPTED:
                texts[data["from"]].setdefault(text.message_id, text)
    return {customer: list(by_id.values()) for customer, by_id in texts.items()}


def _received(webhooks: Iterable[Webhook]) -> Iterator[tuple[Json, Sending]]:
    """What customers texted, of these webhooks."""
    for webhook in webhooks:
        if webhook.envelope["type"] == "message.received":
            yield webhook.envelope["data"], webhook.sending


def _judge_texts(platform: Platform, customer: str, texts: Iterable[_Text]) -> Verdict:
    posted = _inbound(platform, customer)
    lost: list[str] = []
    found: dict[str, list[tuple[_Text, str]]] = defaultdict(list)
    for text in texts:
        run = _run_of(posted, text, text.business) or _run_of(posted, text, None)
        if not run:
            lost.append(text.message_id)
            continue
        found[run[0].conversation_id].append((text, run[0].id))
        posted = [one for one in posted if one not in run]
    return Verdict(
        lost=tuple(lost),
        unexpected=tuple(message.id for message in posted),
        out_of_order=tuple(early for placed in found.values() for early in _too_early(placed)),
    )


def _too_early(placed: Sequence[tuple[_Text, str]]) -> Iterator[str]:
    """Texts posted before one that had been accepted before they were sent at all."""
    for text, post in placed:
        if any(other.accepted < text.sent and post < later for other, later in placed):
            yield text.message_id


def _inbound(platform: Platform, customer: str) -> list[_Post]:
    """Inbound messages of all conversations of a customer, oldest first."""
    conversations = [c for c in platform.conversations.values() if c.customer == customer]
    posts = [
        _Post(message.id, conversation.id, conversation.business_address, message.text)
        for conversation in conversations
        for message in platform.messages_of(conversation.id)
        if not message.outbound
    ]
    return sorted(posts, key=lambda post: post.id)


def _run_of(posted: Iterable[_Post], text: _Text, business: str | None) -> list[_Post]:
    """The first posts in a row whose texts together are this one (a long text may be split)."""
    there = [post for post in posted if post.business == business]
    for start in range(len(there)):
        joined = ""
        for end in range(start, len(there)):
            joined += there[end].text
            if joined == text.text:
                return there[start : end + 1]
            if not text.text.startswith(joined):
                break
    return []
