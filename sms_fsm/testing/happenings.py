"""Everything that can happen to a conversation next: people, carriers, CXone, time, outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sms_fsm import events
from sms_fsm.conversation import Direction, Routing
from sms_fsm.delivery import judge
from sms_fsm.events import Event
from sms_fsm.graph import StateGraph
from sms_fsm.sms import Encoding, Post
from sms_fsm.testing.life import Happening, Life
from sms_fsm.testing.outcomes import SHORTLY, outcomes

_POSTS = (Post(0, 20, Encoding.GSM7, 1),)
_MOST_TEXTS = 2  # each way: more show nothing new, but there are many more ways through them
_WORDS = (("delivered", None), ("failed", "30003"), ("failed", "30005"), ("failed", "odd"))


class _Post(NamedTuple):
    """One post of a text, as `DeliveryReported` names it."""

    message: int
    part: int
    message_id: str


def happenings(life: Life, graph: StateGraph) -> Iterator[Happening]:
    """All of them, in an order that is always the same."""
    yield from _customer(life)
    yield from _business(life)
    yield from _platform(life)
    yield from _carriers(life)
    yield from _time(life)
    yield from outcomes(life, graph)


def _soon(label: str, event: Event) -> Happening:
    return Happening(label, SHORTLY, (event,))


def _customer(life: Life) -> Iterator[Happening]:
    now, number = life.now + SHORTLY, life.conversation.seq + 1
    if sum(message.direction is Direction.INBOUND for message in life.messages) < _MOST_TEXTS:
        event = events.message_received(
            now, key=f"in-{number}", text_digest="", posts=_POSTS, keyword=None
        )
        yield _soon("the customer texts", event)
    if life.opted_out:
        yield _soon("the customer opts in", events.customer_opted_in(now, source="keyword"))
    elif not any(message.confirmation for message in life.messages):
        event = events.customer_opted_out(
            now, source="keyword", key=f"opt-out-{number}", text_digest="", posts=_POSTS
        )
        yield _soon("the customer opts out", event)


def _business(life: Life) -> Iterator[Happening]:
    now, number = life.now + SHORTLY, life.conversation.seq + 1
    texts = sum(message.outbound for message in life.messages)
    if texts < _MOST_TEXTS and not life.opted_out:
        yield _soon("the business replies", _reply(life, note=False))
        event = events.conversation_initiated(
            now, key=f"out-{number}", text_digest="", posts=_POSTS
        )
        yield _soon("the business texts first", event)
    if not any(message.note for message in life.messages):
        yield _soon("an internal note", _reply(life, note=True))
    if not any(waiting.effect.name == "UpdateRouting" for waiting in life.lane):
        routing = Routing(queue_id="queue_2", transfer_type="warm")
        event = events.transfer_requested(now, key=f"transfer-{number}", routing=routing)
        yield _soon("a hand-over", event)
    yield _soon("archival by hand", events.archive_requested(now, key=None))


def _reply(life: Life, *, note: bool) -> Event:
    return events.reply_requested(
        life.now + SHORTLY,
        key=f"reply-{life.conversation.seq + 1}",
        text_digest="",
        posts=_POSTS,
        participant_id=None,
        on_behalf_of=None,
        note=note,
    )


def _platform(life: Life) -> Iterator[Happening]:
    if life.conversation.conversation_id is None:
        return
    now = life.now + SHORTLY
    yield _soon("CXone archives it", events.conversation_archived(now, source="webhook"))
    event = events.agent_assigned(now, participant_id="agent-1", agent_id="a1", queue_id=None)
    yield _soon("CXone assigns an agent", event)


def _carriers(life: Life) -> Iterator[Happening]:
    """Words on the newest attempt of each text; a carrier says each once."""
    for message in life.messages:
        for number, part in enumerate(message.parts):
            for attempt in part.attempts[-1:] if message.outbound else ():
                post = _Post(message.seq, number, attempt.message_id)
                for status, code in _WORDS:
                    if status not in attempt.seen:
                        yield from _word(life, post, status, code)


def _word(life: Life, post: _Post, status: str, code: str | None) -> Iterator[Happening]:
    """With and without another channel, where that decides what comes next."""
    for fallback in (False,) if code is None else (True, False):
        event = events.delivery_reported(
            life.now + SHORTLY,
            **post._asdict(),
            status=status,
            codes=() if code is None else (code,),
            verdict=judge(status, status_code=None, carrier_status=None, error_code=code),
            fallback=fallback,
            revised=False,
            source="callback",
        )
        said = status if code is None else f"{status} ({code})"
        channel = "" if code is None or fallback else ", no other channel"
        yield _soon(f"carrier on text {life.ordinal(post.message)}: {said}{channel}", event)


def _time(life: Life) -> Iterator[Happening]:
    for name, due_at in life.conversation.timers:
        at = max(due_at, life.now + SHORTLY)
        yield Happening(f"{name} is due", at - life.now, (events.timer_elapsed(at, name),))
