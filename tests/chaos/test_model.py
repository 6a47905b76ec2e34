"""The engine against the model: any history, with faults, crashes, restarts and clocks that jump.

A real engine on an SQLite file, the simulator beside it, and `Model`, which says what CONTRACT §5
and §6 say. A failing history shrinks, and is printed as Python that replays it and as the event
log that it left. ``SMS_FSM_CHAOS=full`` looks longer.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update
from world import MovingClock, World

from sms_fsm import DeliveryStatus, InboundMessage, KeyReused, Receipt, TransitionRefused, engine
from sms_fsm.graph import StateGraph, default_graph
from sms_fsm.log import LoggedEvent
from sms_fsm.recorder import PARKED_FOR
from sms_fsm.registry import Registry
from sms_fsm.replay import verify
from sms_fsm.simulator import Fault, Simulator
from sms_fsm.store import open_database, upgrade
from sms_fsm.store.statements import OUTBOX

from .crashing import Crash, at, crash
from .fault_matrix import AMBIGUOUS, MARKS, MATRIX, variants
from .model import FINAL_CODE, Model

FULL = os.environ.get("SMS_FSM_CHAOS") == "full"
EXAMPLES, STEPS = (500, 50) if FULL else (15, 30)
PAIRS = (
    ("+15551230001", "+18885550100"),
    ("+15551230001", "+18885550200"),
    ("+15551230002", "+18885550100"),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
STARTS = (
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC),  # Berlin goes to summer time
    datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC),  # and back
    datetime(2026, 11, 1, 5, 59, 30, tzinfo=UTC),  # New York goes back
    datetime(2028, 2, 28, 23, 59, 30, tzinfo=UTC),  # a leap day is next
)
JUMPS = (1, 5, 31, 61, 301, 901, 3601, -60, -300, -7200)
SILENCES = (36, 71.5, 73)
"""Hours around those after which a conversation is archived."""
WAITS = (31, 61, 299, 301, 899, 901)
"""Seconds around those after which a failed text is sent again."""
WORDS = ("sent", "delivered", "failed", "undelivered")
CODES = ("30003", FINAL_CODE)
POINTS = ("commit.before", "commit.after", "call.before", "call.answered", "call.after")
ACTS = ("archive", "archive in silence", "close", "assign")
_TAKES_REAL_TIME = {"hang", "slow", "huge", "gzip_bomb"}


def _can_strike(fault: Fault) -> bool:
    """Whether the contract says how it ends well, and it needs no real time.

    A cut findConversations is left out: the wire file gives that list no way to go on, so it is
    whole. Marked texts are for faults that must end in a dead letter.
    """
    cut = (fault.operation, fault.kind) == ("findConversations", "page")
    webhook = fault.operation == "webhook"
    return not (cut or webhook or fault.kind in _TAKES_REAL_TIME or fault.containing in MARKS)


FAULTS = {
    name: [fault for fault in variants(name) if _can_strike(fault)]
    for name in MATRIX
    if name not in {"F15", "F16"}
}
"""By row of the matrix, so that a row with many variants is no more likely than others."""
faults = st.sampled_from([name for name, found in FAULTS.items() if found]).flatmap(
    lambda name: st.sampled_from(FAULTS[name])
)
ambiguous_posts = st.sampled_from(
    [fault for name in AMBIGUOUS for fault in FAULTS[name] if fault.operation == "postMessage"]
)
pairs = st.sampled_from(PAIRS)


class HostClock(MovingClock):
    """Tells the time of some place, and may be set back; the platform's clock never is."""

    def __init__(self, start: datetime, zone: str) -> None:
        self.now = self._true = start
        self._zone = ZoneInfo(zone)

    def __call__(self) -> datetime:
        return self.now.astimezone(self._zone)

    def set(self, seconds: float) -> None:
        """Time passes, or (less than 0) the clock is set back."""
        before = self.now
        self.forward(seconds=seconds)
        self._true += max(self.now - before, before - before)

    def platform(self) -> datetime:
        return self._true


@dataclass
class Pair:
    """What a customer and a business number did, and what is known of it."""

    model: Model
    identity: str | None = None
    heard: int = 0
    texts: list[str] = field(default_factory=list)
    queues: set[str] = field(default_factory=set)


@cache
def _migrated() -> bytes:
    """An empty store, as a file's content: copying it is cheaper than migrating."""
    with tempfile.TemporaryDirectory() as folder:
        with closing(open_database(f"sqlite:///{folder}/store.db")) as database:
            upgrade(database)
        return Path(folder, "store.db").read_bytes()


class EngineAgainstModel(RuleBasedStateMachine):
    """One history."""

    @initialize(
        start=st.sampled_from(STARTS),
        zone=st.sampled_from(ZONES),
        fallback=st.booleans(),
        opened=st.integers(0, len(PAIRS)),
    )
    def begin(self, start: datetime, zone: str, fallback: bool, opened: int) -> None:
        self._build(start, zone, fallback)
        for pair in PAIRS[::-1][:opened]:
            self._reach_out(pair, drained=True)

    def _build(self, start: datetime, zone: str, fallback: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="model-", dir=_memory()))
        (self.folder / "store.db").write_bytes(_migrated())
        self.clock = HostClock(start, zone)
        self.simulator = Simulator(clock=self.clock.platform)
        self.simulator.start()
        self.fallen_back: Counter[str] = Counter()
        self.world = World(
            f"sqlite:///{self.folder}/store.db",
            self.simulator.url,
            self.simulator,
            self.clock,
            fallback=(lambda m: self.fallen_back.update([m.key])) if fallback else None,
            workers=1,
            lease_seconds=30,
        )
        self.pairs = {pair: Pair(Model(fallback)) for pair in PAIRS}
        self.said: set[tuple[str, str]] = set()
        self.reported: set[tuple[str, str]] = set()
        self.died: set[str] = set()
        self.count = 0
        self.crashed = False
        self.began = self.clock.now

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self._come_to_rest()
        finally:
            self.world.close()
            self.simulator.stop()
            shutil.rmtree(self.folder)

    # What customers, the host and carriers do

    @rule(
        pair=pairs,
        crash_point=st.sampled_from([None, None, "commit.before", "commit.after"]),
        drained=st.booleans(),
    )
    def text(self, pair: tuple[str, str], crash_point: str | None, drained: bool) -> None:
        """A customer texts; the sender does not let go before it is acknowledged."""
        text = f"text {self._next():04d}."
        message = InboundMessage(f"in-{self.count}", from_=pair[0], to=pair[1], text=text)
        if crash_point:
            with suppress(Crash), at(crash_point, crash):
                self.world.engine.receive(message)
            self._restart()
        self._note(pair, text, self.world.engine.receive(message))
        assert self.world.engine.receive(message).duplicate
        self._drain_if(drained)

    @rule(pair=pairs, internal_note=st.booleans(), long=st.booleans(), drained=st.booleans())
    def reply(self, pair: tuple[str, str], internal_note: bool, long: bool, drained: bool) -> None:
        identity = self.pairs[pair].identity
        if identity is None:
            return
        text = f"reply {self._next():04d}." + (f" {self.count:04d}" * 400 if long else "")
        options: dict[str, Any] = {"key": f"k-{self.count}", "internal_note": internal_note}
        self._note(pair, text, self.world.engine.reply(identity, text, **options))
        assert self.world.engine.reply(identity, text, **options).duplicate
        with pytest.raises(KeyReused):
            self.world.engine.reply(identity, "another text", **options)
        self._drain_if(drained)

    @rule(pair=pairs, drained=st.booleans())
    def initiate(self, pair: tuple[str, str], drained: bool) -> None:
        self._reach_out(pair, drained=drained)

    def _reach_out(self, pair: tuple[str, str], *, drained: bool) -> None:
        text = f"outreach {self._next():04d}."
        options = {"to": pair[0], "from_": pair[1], "text": text, "key": f"i-{self.count}"}
        self._note(pair, text, self.world.engine.initiate(**options))
        assert self.world.engine.initiate(**options).duplicate
        self._drain_if(drained)

    def _drain_if(self, wanted: bool) -> None:
        if wanted:
            self.world.engine.drain()

    @rule(pair=pairs)
    def transfer(self, pair: tuple[str, str]) -> None:
        identity = self.pairs[pair].identity
        if identity is not None:
            queue = f"queue {self._next()}"
            self.world.engine.transfer(identity, queue_id=queue, key=f"t-{self.count}")
            self.pairs[pair].queues.add(queue)

    @rule(pair=pairs)
    def archive_by_hand(self, pair: tuple[str, str]) -> None:
        identity = self.pairs[pair].identity
        if identity is not None:
            with suppress(TransitionRefused):
                self.world.engine.archive(identity, key=f"a-{self._next()}")

    @precondition(lambda self: self._outbound())
    @rule(
        which=st.integers(0, 50),
        word=st.sampled_from(WORDS),
        code=st.sampled_from(CODES),
        copies=st.integers(1, 3),
    )
    def carrier_says(self, which: int, word: str, code: str, copies: int) -> None:
        """About any message, known to the engine by now or not."""
        outbound = self._outbound()
        receipts = self._report(outbound[-1 - which % len(outbound)], word, code, copies)
        assert all(receipt.duplicate for receipt in receipts[1:])

    @precondition(lambda self: self._outbound())
    @rule(waits=st.lists(st.sampled_from(WAITS), min_size=1, max_size=5))
    def carrier_fails_again_and_again(self, waits: list[float]) -> None:
        """What CXone took last, whether or not that was a repetition."""
        for wait in waits:
            self._report(self._outbound()[-1], "failed", "30003", 1)
            self._pass(wait)

    @rule(pair=pairs, word=st.sampled_from(WORDS))
    def carrier_is_quicker_than_the_answer(self, pair: tuple[str, str], word: str) -> None:
        """The word comes while nobody knows of the post: its worker is gone."""
        self._reach_out(pair, drained=False)
        with suppress(Crash), at("call.answered", crash, subject="postMessage"):
            self.world.engine.drain()
        if outbound := self._outbound():
            self._report(outbound[-1], word, CODES[0], 2)
        self._restart()

    def _report(self, message: tuple[str, str], word: str, code: str, copies: int) -> list[Receipt]:
        failed = word in ("failed", "undelivered")
        said = DeliveryStatus(*message, status=word, error_code=code if failed else None)
        self.the_log_says_what_the_model_says()  # what a drain has reported since
        receipts = [self.world.engine.record(said) for _ in range(copies)]
        if receipts[0].conversation:
            assert receipts[0].duplicate == ((message[0], word) in self.reported), self._log()
        self.said.add((message[0], word))
        self.the_log_says_what_the_model_says()
        return receipts

    # What the platform does

    @rule(pair=pairs, archived=st.booleans(), ours=st.booleans(), routed=st.booleans())
    def desk_opens(self, pair: tuple[str, str], archived: bool, ours: bool, routed: bool) -> None:
        """A conversation is there before the engine has heard of the customer."""
        if self.pairs[pair].identity or self.simulator.conversations_of(pair[0]):
            return
        self.simulator.open_conversation(
            pair[0],
            pair[1] if ours else None,
            {"queue_id": "queue of the desk"} if routed else None,
            archived=archived,
        )

    @rule(pair=pairs, act=st.sampled_from(ACTS))
    def platform_acts(self, pair: tuple[str, str], act: str) -> None:
        found = self.simulator.conversations_of(pair[0])
        if not found:
            return
        match act:
            case "archive":
                self.simulator.archive(found[-1])
            case "archive in silence":
                self.simulator.archive(found[-1], notify=False)
            case "close":
                self.simulator.close(found[-1])
            case "assign":
                self.simulator.assign(found[-1], f"agent-{self._next()}", "agent-9")

    @rule(wanted=st.lists(faults, min_size=1, max_size=3))
    def misbehave(self, wanted: list[Fault]) -> None:
        for fault in wanted:
            self.simulator.fault(fault)

    @rule(pair=pairs, fault=ambiguous_posts, texts=st.integers(1, 3))
    def lose_an_answer(self, pair: tuple[str, str], fault: Fault, texts: int) -> None:
        """To one of these texts, perhaps; what is behind it must not pass it."""
        for _ in range(texts):
            self._reach_out(pair, drained=False)
        self.simulator.fault(fault)
        self.world.engine.drain()

    # What happens to the engine

    @rule(limit=st.sampled_from([None, None, 1, 3]))
    def drain(self, limit: int | None) -> None:
        self.world.engine.drain(limit=limit)

    @rule(seconds=st.sampled_from(JUMPS))
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(hours=st.lists(st.sampled_from(SILENCES), min_size=1, max_size=2), pair=pairs)
    def nobody_writes(self, hours: list[float], pair: tuple[str, str]) -> None:
        """For so long, and after one text for so long again."""
        for silence in hours:
            self._reach_out(pair, drained=True)
            self._pass(silence * 3600)

    def _pass(self, seconds: float) -> None:
        self.clock.set(seconds)
        self.world.engine.drain()

    @rule(point=st.sampled_from(POINTS), nth=st.integers(1, 6))
    def crash_while_draining(self, point: str, nth: int) -> None:
        with suppress(Crash), at(point, crash, nth=nth):
            self.world.engine.drain()
        self._restart()

    @rule()
    def operator_retries(self) -> None:
        for effect in self.world.engine.dead_letters():
            self.world.engine.retry(effect.id)

    # What must hold, always

    @invariant()
    def the_log_says_what_the_model_says(self) -> None:
        for pair in self.pairs.values() if hasattr(self, "world") else ():
            if pair.identity is not None:
                self._follow(pair, pair.identity)
                self._compare(pair, pair.identity)

    @invariant()
    def the_platform_has_nothing_twice_and_all_in_order(self) -> None:
        if not hasattr(self, "world"):
            return
        verdict = self.simulator.judge()
        assert (verdict.duplicate, verdict.violations) == ((), ()), self._log()
        posts = list(self._posts())
        for pair in self.pairs.values():
            living = [text for text in pair.texts if text not in self.died]
            posted = list(dict.fromkeys(text for _, text in posts if text in living))
            assert posted == [text for text in living if text in posted], self._log()
        mixed = defaultdict(set)
        for conversation_id, text in posts:
            mixed[conversation_id].add(self._pair_of(text))
        assert all(len(found) == 1 for found in mixed.values()), self._log()

    def _follow(self, pair: Pair, identity: str) -> None:
        """Tell the model what is new, event by event, and compare the states on the way."""
        for event in self.world.engine.history(identity)[pair.heard :]:
            assert event.source == pair.model.state, self._log()
            if not event.refused:
                self._tell(pair, event)
            assert event.target == pair.model.state, f"{event}\n{self._log()}"
            pair.heard += 1

    def _tell(self, pair: Pair, event: LoggedEvent) -> None:
        try:
            pair.model.hear(event.seq, event.name, event.data, event.at)
        except AssertionError as error:
            raise AssertionError(f"{error}: {event}\n{self._log()}") from None
        if event.name == "DeliveryReported":
            self.reported.add((event.data["message_id"], event.data["status"]))
        if event.name == "EffectDied" and event.data["message"]:
            found = self.world.conversation(str(pair.identity)).messages
            self.died |= {str(m.text) for m in found if m.seq == event.data["message"]}

    def _compare(self, pair: Pair, identity: str) -> None:
        conversation, texts = self.world.conversation(identity), pair.model.texts
        assert conversation.state == pair.model.state
        found = {message.seq: message.status.value for message in conversation.messages}
        assert found == {seq: text.status for seq, text in texts.items()}, self._log()
        for message in conversation.messages:
            sent = [one for part in texts[message.seq].words.values() for one in part]
            assert sorted(message.message_ids) == sorted(sent), self._log()

    # The end: everything comes to rest, and is there once

    def _come_to_rest(self) -> None:
        self.simulator.clear_faults()
        for _ in range(15):
            self.world.engine.drain()
            self.operator_retries()
            self.clock.set(901)
        self.world.engine.drain()
        self.the_log_says_what_the_model_says()
        self.the_platform_has_nothing_twice_and_all_in_order()
        assert self.world.engine.dead_letters() == [], self._log()
        self._check_that_nothing_is_lost()
        assert verify(self._log().splitlines(keepends=True)).clean
        assert all(count == 1 for count in self.fallen_back.values()) or self.crashed
        self._fall_asleep()

    def _check_that_nothing_is_lost(self) -> None:
        posted = {text for _, text in self._posts()}
        for pair in self.pairs.values():
            assert set(pair.texts) <= posted, self._log()
            for text in pair.model.texts.values():
                assert len(text.words) == text.parts, self._log()
                assert text.again_at == {}, self._log()
            assert pair.queues <= self._routed(pair), self._log()
        if self.clock.now - self.began < PARKED_FOR:
            assert self.said <= self.reported, self._log()

    def _fall_asleep(self) -> None:
        """Nobody writes any more: everything is archived in the end (CONTRACT §6.6)."""
        self.clock.set(73 * 3600)
        self.world.engine.drain()
        self.the_log_says_what_the_model_says()
        for pair in self.pairs.values():
            assert pair.model.state in {"new", "archived"}, self._log()

    # How it is done

    def _next(self) -> int:
        self.count += 1
        return self.count

    def _note(self, pair: tuple[str, str], text: str, receipt: Receipt) -> None:
        """A text was taken in: it has its place from now on."""
        assert receipt.conversation is not None
        noted = self.pairs[pair]
        assert noted.identity in (None, receipt.conversation), "another conversation of the pair"
        noted.identity = receipt.conversation
        noted.texts.append(text)
        self._follow(noted, receipt.conversation)
        assert receipt.state == noted.model.state

    def _restart(self) -> None:
        """Another process, when the leases of the one that crashed have run out."""
        self.crashed = True
        with closing(open_database(self.world.settings.database_url)) as database:
            long_ago = datetime(2000, 1, 1, tzinfo=UTC)
            statement = update(OUTBOX).where(OUTBOX.c.lease_until.is_not(None))
            database.write(lambda c: c.execute(statement.values(lease_until=long_ago)))
        self.world.restart()

    def _outbound(self) -> list[tuple[str, str]]:
        """Every message to a customer that the platform took: its id and its conversation's."""
        return [
            (message.id, message.conversation_id)
            for entry in self.simulator.ledger
            for message in entry.changes.messages
            if message.outbound and not message.internal
        ]

    def _posts(self) -> Iterator[tuple[str, str]]:
        """The conversation and the whole text of every post, in order."""
        whole = {text.split(".")[0]: text for pair in self.pairs.values() for text in pair.texts}
        numbers = {text.split(".")[0].split()[1]: text for text in whole.values()}
        for entry in self.simulator.ledger:
            for message in entry.changes.messages:
                start = message.text.split(".")[0]
                text = whole.get(start) or numbers[message.text.strip()[-4:]]
                yield message.conversation_id, text

    def _pair_of(self, text: str) -> tuple[str, str]:
        return next(pair for pair, noted in self.pairs.items() if text in noted.texts)

    def _routed(self, pair: Pair) -> set[str]:
        """The queues that CXone was told of."""
        events = self.world.engine.history(pair.identity) if pair.identity else []
        updates = (event.data["routing"] for event in events if event.name == "RoutingUpdated")
        return {str(routing.get("queue_id")) for routing in updates}

    def _log(self) -> str:
        """The event log: what the engine says that happened."""
        file = io.StringIO()
        self.world.engine.export_log(file)
        return file.getvalue()


def _memory() -> str | None:
    """Where files cost no waiting for a disk, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the fastest place


@pytest.fixture
def graph_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped graph is read once: a history restarts its engine many times."""
    read = default_graph(Registry().names)

    def at_hand(_: object) -> StateGraph:
        return read

    monkeypatch.setattr(engine, "default_graph", at_hand)


HISTORIES = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.mark.timeout(3600 if FULL else 240)
@pytest.mark.usefixtures("graph_at_hand")
def test_no_history_makes_the_engine_differ_from_the_model() -> None:
    run_state_machine_as_test(EngineAgainstModel, settings=HISTORIES)
