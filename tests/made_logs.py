"""Event logs made in memory: the engine's own machine, without a store or a platform.

The mix of events is that of a busy engine; every choice is the caller's, by a random generator or
by Hypothesis.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

import orjson

from sms_fsm import events
from sms_fsm.conversation import Conversation, Message, MessageStatus, Routing
from sms_fsm.delivery import judge
from sms_fsm.effects import PlannedEffect, effect_id
from sms_fsm.events import Event
from sms_fsm.graph import StateGraph, default_graph
from sms_fsm.log import chained, log_record, sealed_lines
from sms_fsm.machine import Machine, Step
from sms_fsm.registry import Registry
from sms_fsm.sms import Encoding, Post
from sms_fsm.values import evolve

T = TypeVar("T")
Choose = Callable[[Sequence[T]], T]
Happening = Callable[[], Event]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILURES = (("30005", "UNDELIV"), ("30003", "UNDELIV"), (None, "REJECTD"), (None, "ODDCODE"))


def shipped_machine() -> Machine:
    registry = Registry()
    return Machine(default_graph(registry.names), registry.guards, registry.actions)


def graph_line(graph: StateGraph) -> str:
    values = {
        "id": graph.id,
        "version": graph.version,
        "hash": graph.behaviour_hash,
        "document": graph.document,
    }
    return orjson.dumps({"graph": values}).decode()


class Life:
    """One conversation, from its first text on."""

    def __init__(self, machine: Machine, number: int, choose: Choose[Happening]) -> None:
        self._machine = machine
        self._choose = choose
        self._ids = count(1)
        self.number = number
        graph = machine.graph
        self.conversation = Conversation(
            f"c{number:022x}", graph.initial, graph.version, graph.behaviour_hash, "", ""
        )
        self.messages: dict[int, Message] = {}
        self.waiting: list[tuple[str, PlannedEffect]] = []
        self.log: list[tuple[str, str]] = []
        self.steps: list[Step] = []
        self.now = START + timedelta(seconds=number)

    def happen(self, event: Event) -> Step:
        """The machine decides and the log grows."""
        message = self.messages.get(event.message) if event.message is not None else None
        loaded = evolve(self.conversation, messages=() if message is None else (message,))
        step = self._machine.step(loaded, event)
        self.messages |= {message.seq: message for message in step.after.messages}
        self.conversation = evolve(step.after, messages=())
        self._replan(step)
        previous = self.log[-1][1] if self.log else ""
        record = log_record(step)
        self.log.append((record, chained(previous, record)))
        self.steps.append(step)
        return step

    def go_on(self) -> Step:
        """Something that can happen now happens."""
        self.now += timedelta(seconds=7)
        return self.happen(self._choose(self._possible())())

    def _replan(self, step: Step) -> None:
        for cancellation in step.cancelled:
            self.waiting = [
                (identity, effect)
                for identity, effect in self.waiting
                if effect.name not in cancellation.names
                or cancellation.message not in (None, effect.message)
            ]
        self.waiting += [
            (effect_id(step.after.id, step.after.seq, number), planned)
            for number, planned in enumerate(step.planned)
        ]

    # What can happen

    def _possible(self) -> list[Happening]:
        """Often what was asked for, else what people, carriers or CXone do."""
        outcomes = [
            outcome
            for identity, effect in self.waiting[:3]
            for outcome in self._outcomes(identity, effect)
        ]
        if not self.log:
            return [self._text, self._text, self._outreach, self._reply, self._transfer]
        people = [self._text, self._reply, self._reply, self._transfer, self._outreach, self._note]
        rare = [
            self._assigned,
            self._archived,
            self._opt_out,
            self._archive,
            self._opt_in,
            self._closed,
            self._idle,
        ]
        return outcomes * 2 + self._words() * 2 + people + rare[: 1 + len(self.log) // 8]

    def _outcomes(self, identity: str, effect: PlannedEffect) -> list[Happening]:
        def done() -> Event:
            self.waiting = [entry for entry in self.waiting if entry[0] != identity]
            return self._success(identity, effect)

        def dies() -> Event:
            self.waiting = [entry for entry in self.waiting if entry[0] != identity]
            return events.effect_died(
                self.now,
                effect=identity,
                name=effect.name,
                reason="503",
                message=effect.message,
                fallback=True,
            )

        about = {"effect": identity, "name": effect.name}
        troubles: list[Happening] = [
            dies,
            lambda: events.answer_lost(self.now, reason="timeout", **about),
            lambda: events.work_blocked(self.now, **about),
            lambda: events.effect_delayed(self.now, reason="429", until=self.now, **about),
            lambda: events.effect_retried(self.now, message=effect.message, **about),
        ]
        if effect.name == "PostMessage":
            troubles.append(lambda: self._withdrawn(identity, effect))
        number = self.conversation.seq % len(troubles)
        return [done] * 6 + ([] if effect.timer else [troubles[number]])

    def _success(self, identity: str, effect: PlannedEffect) -> Event:
        if effect.timer:
            return events.retry_due(self.now, message=effect.message or 0, part=effect.data["part"])
        makers: dict[str, Callable[[], Event]] = {
            "OpenConversation": lambda: self._opened(identity),
            "ReactivateConversation": lambda: events.conversation_reactivated(
                self.now, effect=identity, how="put", carrier_profile=None, carrier_changed=False
            ),
            "PostMessage": lambda: self._posted(identity, effect),
            "SendFallback": lambda: events.fallback_sent(
                self.now, effect=identity, message=effect.message or 0
            ),
            "PollDelivery": lambda: events.effect_delayed(
                self.now, effect=identity, name=effect.name, reason="no word", until=self.now
            ),
        }
        routed = Routing.from_data(effect.data.get("routing", {"queue_id": "queue_1"}))
        make = makers.get(effect.name)
        return make() if make else events.routing_updated(self.now, effect=identity, routing=routed)

    def _withdrawn(self, identity: str, effect: PlannedEffect) -> Event:
        self.waiting = [entry for entry in self.waiting if entry[0] != identity]
        return events.message_withdrawn(self.now, effect=identity, message=effect.message or 0)

    def _opened(self, identity: str) -> Event:
        number = next(self._ids)
        return events.conversation_opened(
            self.now,
            effect=identity,
            conversation_id=f"conv-{self.number}-{number}",
            how="created" if number % 3 else "adopted",
            routing=Routing(queue_id="queue_1"),
            replaced=None,
            participant_id=None,
            carrier_profile="carrier-a",
        )

    def _posted(self, identity: str, effect: PlannedEffect) -> Event:
        part, *rest = effect.data["parts"]
        if rest:
            again = effect._replace(data={**effect.data, "parts": rest})
            self.waiting.insert(0, (identity, again))
        number = next(self._ids)
        return events.message_posted(
            self.now,
            effect=identity,
            message=effect.message or 0,
            part=part,
            reference=f"{identity}:{part}",
            message_id=f"msg-{self.number}-{number}",
            how="answer",
        )

    def _words(self) -> list[Happening]:
        """What carriers may say of the newest texts, or late of the oldest."""
        texts = [message for message in self.messages.values() if message.outbound]
        return [
            word
            for message in (*texts[-2:], *texts[:1])
            for number, part in enumerate(message.parts)
            for attempt in part.attempts[-1:]
            for word in self._words_on(message, number, attempt.message_id)
        ]

    def _words_on(self, message: Message, part: int, message_id: str) -> list[Happening]:
        def word(status: str, error: str | None = None, code: str | None = None) -> Happening:
            verdict = judge(status, status_code=code, carrier_status=None, error_code=error)
            return lambda: events.delivery_reported(
                self.now,
                message=message.seq,
                part=part,
                message_id=message_id,
                status=status,
                codes=[given for given in (code, error) if given],
                verdict=verdict,
                fallback=self.number % 2 == 0,
                revised=False,
                source="callback",
            )

        said = {s for part_ in message.parts for a in part_.attempts for s in a.seen}
        if "delivered" in said and message.status is MessageStatus.DELIVERED:
            return []
        failure = FAILURES[self.conversation.seq % len(FAILURES)]
        return [word("sent"), word("delivered", None, "DELIVRD"), word("failed", *failure)]

    def _posts(self) -> list[Post]:
        if self.conversation.seq % 9 == 4:
            return [Post(0, 150, Encoding.GSM7, 1), Post(150, 170, Encoding.GSM7, 1)]
        return [Post(0, 20, Encoding.GSM7, 1)]

    def _digest(self) -> str:
        return events.digest(self.conversation.id, str(self.conversation.seq))

    def _text(self) -> Event:
        key = f"in-{self.number}-{next(self._ids)}"
        return events.message_received(
            self.now, key=key, text_digest=self._digest(), posts=self._posts()[:1], keyword=None
        )

    def _opt_out(self) -> Event:
        return events.customer_opted_out(
            self.now,
            source="keyword",
            key=f"opt-out-{self.conversation.seq}",
            text_digest=self._digest(),
            posts=self._posts()[:1],
        )

    def _opt_in(self) -> Event:
        return events.customer_opted_in(self.now, source="keyword")

    def _reply(self, *, note: bool = False) -> Event:
        return events.reply_requested(
            self.now,
            key=f"key-{next(self._ids)}",
            text_digest=self._digest(),
            posts=self._posts(),
            participant_id="agent-1",
            on_behalf_of=None,
            note=note,
        )

    def _note(self) -> Event:
        return self._reply(note=True)

    def _outreach(self) -> Event:
        key = f"out-{self.number}-{next(self._ids)}"
        return events.conversation_initiated(
            self.now, key=key, text_digest=self._digest(), posts=self._posts()
        )

    def _transfer(self) -> Event:
        routing = Routing(queue_id="queue_2", transfer_type="warm", skills=("sms", "billing"))
        return events.transfer_requested(self.now, key=f"key-{next(self._ids)}", routing=routing)

    def _assigned(self) -> Event:
        return events.agent_assigned(
            self.now, participant_id="agent-7", agent_id="agent-id-9", queue_id=None
        )

    def _archived(self) -> Event:
        return events.conversation_archived(self.now, source="webhook")

    def _archive(self) -> Event:
        return events.archive_requested(self.now, key=None)

    def _closed(self) -> Event:
        effect = self.waiting[0][0] if self.waiting else effect_id(self.conversation.id, 1, 0)
        return events.conversation_closed(
            self.now, conversation_id=self.conversation.conversation_id, effect=effect
        )

    def _idle(self) -> Event:
        return events.timer_elapsed(self.now, "IdleElapsed")


def lives(
    conversations: int, events_each: int, *, seed: int = 1, machine: Machine | None = None
) -> Iterator[Life]:
    """Conversations by chance, the same for the same seed."""
    dice = random.Random(seed)
    machine = machine or shipped_machine()
    for number in range(conversations):
        life = Life(machine, number, dice.choice)
        for _ in range(events_each):
            life.go_on()
        yield life


def made_log(
    conversations: int, events_each: int, *, seed: int = 1, machine: Machine | None = None
) -> Iterator[str]:
    """The lines of an exported log."""
    machine = machine or shipped_machine()
    yield graph_line(machine.graph)
    made = lives(conversations, events_each, seed=seed, machine=machine)
    yield from sealed_lines(record for life in made for record in life.log)
