"""The harness is tested, too: each seeded bug is caught by the check that is named beside it.

Each story runs twice, without the bug and with it: a check that always fails, or never, catches
nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from journeys import pass_time
from world import BUSINESS, CUSTOMER, MovingClock, World

from sms_fsm import Engine, engine
from sms_fsm.cxone import CXoneClient
from sms_fsm.graph import StateGraph, default_graph
from sms_fsm.registry import Registry
from sms_fsm.simulator import Fault, Simulator

from . import seeded_bugs as seed
from .crashing import crash_at
from .fault_matrix import AMBIGUOUS, variants
from .test_model import HISTORIES, EngineAgainstModel

LEASE_SECONDS = 0.3


class Stage(World):
    """A world that counts its engines and keeps what was logged."""

    opened_engines = 0

    def __init__(self, *given: Any, **settings: Any) -> None:
        self.lines: list[str] = []
        super().__init__(*given, **settings)

    def _open(self) -> Engine:
        self.opened_engines += 1
        return super()._open()


class _Keeper(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(repr(vars(record)))


# The stories


def _crash_after_the_acknowledgement(stage: Stage) -> None:
    stage.simulator.customer_texts(CUSTOMER, BUSINESS, "one")
    stage.restart()
    pass_time(stage, times=2)


def _the_same_text_twice_at_once(stage: Stage) -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(stage.simulator.customer_texts, CUSTOMER, BUSINESS, "one", "m-1")
    pass_time(stage, times=2)


def _lost_answer(stage: Stage) -> None:
    stage.simulator.customer_texts(CUSTOMER, BUSINESS, "one")
    stage.engine.drain()
    stage.simulator.fault(Fault("postMessage", "reset"))
    stage.simulator.customer_texts(CUSTOMER, BUSINESS, "two")
    pass_time(stage, times=4)


def _late_application(stage: Stage) -> None:
    identity = stage.opened("one")
    stage.simulator.fault(Fault("postMessage", "late", late_seconds=30))
    stage.engine.reply(identity, "two", key="k-2")
    pass_time(stage, times=20, seconds=10)


def _lost_answer_and(kind: str) -> Callable[[Stage], None]:
    def story(stage: Stage) -> None:
        identity = stage.opened("one")
        stage.replied(identity, "two")
        stage.simulator.fault(Fault("listMessages", kind, size=1, probability=1))
        stage.simulator.fault(Fault("postMessage", "reset"))
        stage.engine.reply(identity, "three", key="k-3")
        pass_time(stage, times=4)

    return story


def _crash_at(point: str, operation: str) -> Callable[[Stage], None]:
    def story(stage: Stage) -> None:
        stage.simulator.customer_texts(CUSTOMER, BUSINESS, "one")
        with crash_at(point, subject=operation):
            stage.engine.drain()
        stage.restart()
        time.sleep(LEASE_SECONDS * 1.1)
        pass_time(stage, times=4)

    return story


def _outlived_lease(stage: Stage) -> None:
    """A worker dawdles after its call; meanwhile another one takes over."""
    identity = stage.opened("one")
    real = CXoneClient.post_message
    with pytest.MonkeyPatch.context() as patch, stage.another_engine() as other:

        def dawdle(*call: Any, **options: Any) -> Any:
            taken = real(*call, **options)
            patch.undo()
            time.sleep(LEASE_SECONDS * 1.1)
            other.drain()
            return taken

        patch.setattr(CXoneClient, "post_message", dawdle)
        stage.engine.reply(identity, "two", key="k-2")
        stage.engine.drain()


def _a_text_held_up(stage: Stage) -> None:
    stage.simulator.customer_texts(CUSTOMER, BUSINESS, "one")
    stage.engine.drain()
    stage.simulator.fault(Fault("postMessage", "status", status=429, retry_after=30))
    for text in ("two", "three"):
        stage.simulator.customer_texts(CUSTOMER, BUSINESS, text)
        stage.engine.drain()
    pass_time(stage, times=2)


def _open_already(stage: Stage) -> None:
    stage.simulator.open_conversation(CUSTOMER, BUSINESS)
    stage.opened("one")


def _lost_creation(stage: Stage) -> None:
    stage.simulator.fault(Fault("createConversation", "reset"))
    stage.text("one")
    pass_time(stage, times=3)


def _closed_for_good(stage: Stage) -> None:
    """Three texts wait for the successor."""
    identity = stage.opened("one")
    stage.simulator.close(str(stage.conversation(identity).conversation_id))
    for number in range(3):
        stage.engine.reply(identity, f"reply {number}", key=f"k-{number}")
        stage.engine.drain(limit=1)
    pass_time(stage, times=2)


def _old_token(stage: Stage) -> None:
    """Two threads call when it has just run out."""
    numbers = ("+15550000001", "+15550000002")
    for number in numbers:
        stage.text("one", from_=number)
    stage.engine.drain()
    stage.clock.forward(hours=2)
    for number in numbers:
        stage.text("two", from_=number)
    stage.engine.drain()


def _storm_of_callbacks(stage: Stage) -> None:
    message = stage.replied(stage.opened("one"), "two")
    for _ in range(3):
        stage.says(message, "sent")


def _back_from_the_archive(stage: Stage) -> None:
    identity = stage.opened("one")
    stage.simulator.archive(str(stage.conversation(identity).conversation_id))
    stage.replied(identity, "two")


def _another_alphabet(stage: Stage) -> None:
    stage.replied(stage.opened("one"), "Grüße — ждём 🙂")


def _silent_carrier(stage: Stage) -> None:
    stage.replied(stage.opened("one"), "two")
    pass_time(stage, times=2, seconds=301)


# The checks


def _posted_and_recorded_twice(stage: Stage) -> list[str]:
    return _more_than_once(stage, "MessagePosted", "message_id")


def _words_recorded_twice(stage: Stage) -> list[str]:
    return _more_than_once(stage, "DeliveryReported", "message_id", "status")


def _more_than_once(stage: Stage, name: str, *facts: str) -> list[str]:
    found = stage.engine.conversations()
    events = [event for one in found for event in stage.engine.history(one.id)]
    seen = Counter(
        " ".join(event.data[fact] for fact in facts) for event in events if event.name == name
    )
    return [what for what, count in seen.items() if count > 1]


def _renewed_by_many(stage: Stage) -> list[str]:
    """Moments at which more tokens were issued than there were engines."""
    moments = Counter(str(at) for name, at in stage.simulator.requests if name == "issueToken")
    return [moment for moment, count in moments.items() if count > stage.opened_engines]


def _secrets_told(stage: Stage) -> list[str]:
    secrets = ("Bearer ", "demo-secret", CUSTOMER)
    return [secret for secret in secrets if any(secret in line for line in stage.lines)]


def _delivered_without_a_word(stage: Stage) -> list[str]:
    """The carriers of these stories never say that anything was delivered."""
    found = [stage.conversation(one.id) for one in stage.engine.conversations()]
    return [m.key for c in found for m in c.messages if m.outbound and m.status == "delivered"]


CHECKS: Mapping[str, Callable[[Stage], object]] = {
    "lost": lambda stage: stage.simulator.judge().lost,
    "duplicate": lambda stage: stage.simulator.judge().duplicate,
    "unexpected": lambda stage: stage.simulator.judge().unexpected,
    "out of order": lambda stage: stage.simulator.judge().out_of_order,
    "violations": lambda stage: stage.simulator.judge().violations,
    "posts recorded twice": _posted_and_recorded_twice,
    "words recorded twice": _words_recorded_twice,
    "tokens renewed by many": _renewed_by_many,
    "secrets told": _secrets_told,
    "delivered without a word": _delivered_without_a_word,
}


@dataclass(frozen=True, slots=True)
class Bug:
    """A seeded bug, the story in which it shows, and the check that catches it there."""

    seed: seed.Seed
    story: Callable[[Stage], None]
    caught_by: str


BUGS = (
    Bug(seed.acknowledge_before_the_commit, _crash_after_the_acknowledgement, "lost"),
    Bug(seed.deduplicate_outside_of_the_transaction, _the_same_text_twice_at_once, "unexpected"),
    Bug(seed.repeat_blindly, _lost_answer, "duplicate"),
    Bug(seed.take_absent_at_once, _late_application, "duplicate"),
    Bug(seed.look_at_one_page_only, _lost_answer_and("page"), "duplicate"),
    Bug(seed.believe_a_cut_list, _lost_answer_and("first_page"), "duplicate"),
    Bug(seed.forget_who_did_not_come_back, _crash_at("call.answered", "postMessage"), "duplicate"),
    Bug(seed.new_reference_each_time, _lost_answer, "unexpected"),
    Bug(seed.no_fencing, _outlived_lease, "posts recorded twice"),
    Bug(seed.finish_before_the_call, _crash_at("call.before", "postMessage"), "lost"),
    Bug(seed.every_text_at_once, _a_text_held_up, "out of order"),
    Bug(seed.create_without_looking, _open_already, "duplicate"),
    Bug(seed.no_reference_of_the_creation, _lost_creation, "duplicate"),
    Bug(seed.plan_each_opening, _closed_for_good, "duplicate"),
    Bug(seed.bare_plus, _open_already, "violations"),
    Bug(seed.renew_without_a_lock, _old_token, "tokens renewed by many"),
    Bug(seed.log_the_token, _open_already, "secrets told"),
    Bug(seed.callbacks_without_a_key, _storm_of_callbacks, "words recorded twice"),
    Bug(seed.stale_carrier_route, _back_from_the_archive, "violations"),
    Bug(seed.undeclared_encoding, _another_alphabet, "violations"),
    Bug(seed.believe_the_list_of_messages, _silent_carrier, "delivered without a word"),
)


@contextmanager
def _stage(folder: Path, store: Path) -> Iterator[Stage]:
    file = Path(shutil.copy(store, folder / "store.db"))
    clock = MovingClock()
    simulator = Simulator(clock=clock)
    options = {"workers": 2, "lease_seconds": LEASE_SECONDS}
    with ExitStack() as stack:
        url = stack.enter_context(simulator.serve())
        stage = Stage(f"sqlite:///{file}", url, simulator, clock, **options)
        stack.callback(stage.close)
        keeper, root = _Keeper(stage.lines), logging.getLogger("sms_fsm")
        stack.callback(root.setLevel, root.level)
        stack.callback(root.removeHandler, keeper)
        root.addHandler(keeper)
        root.setLevel(logging.DEBUG)
        yield stage


@pytest.fixture(autouse=True)
def _graph_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped graph is read once."""
    read = default_graph(Registry().names)

    def at_hand(_: object) -> StateGraph:
        return read

    monkeypatch.setattr(engine, "default_graph", at_hand)


def _failing(stage: Stage) -> set[str]:
    return {name for name, check in CHECKS.items() if check(stage)}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.seed.__name__)
def test_a_seeded_bug_is_caught(bug: Bug, tmp_path: Path, migrated_sqlite: Path) -> None:
    with _stage(tmp_path, migrated_sqlite) as stage:
        bug.story(stage)
        assert _failing(stage) == set()
    with (
        pytest.MonkeyPatch.context() as patch,
        _stage(tmp_path, migrated_sqlite) as stage,
    ):
        bug.seed(patch)
        bug.story(stage)
        assert bug.caught_by in _failing(stage)


# The control arm


def _duplicates(folder: Path, store: Path, *seeds: seed.Seed) -> list[str]:
    """References that were posted twice, when each ambiguous fault strikes a text of its own."""
    faults = [
        fault
        for name in AMBIGUOUS
        for fault in variants(name)
        if fault.operation == "postMessage" and fault.kind != "hang"
    ]
    with pytest.MonkeyPatch.context() as patch, _stage(folder, store) as stage:
        for one in seeds:
            one(patch)
        identity = stage.opened("one")
        for place, fault in enumerate(faults * 3):
            stage.simulator.fault(fault)
            stage.engine.reply(identity, f"text {place}", key=f"k-{place}")
            pass_time(stage, times=3)
        pass_time(stage, times=3)
        assert len(set(stage.posted(identity))) == 1 + len(faults * 3)
        return list(stage.simulator.judge().duplicate)


def test_without_reconciliation_duplicates_show(tmp_path: Path, migrated_sqlite: Path) -> None:
    assert _duplicates(tmp_path, migrated_sqlite) == []
    assert len(_duplicates(tmp_path, migrated_sqlite, seed.repeat_blindly)) >= len(AMBIGUOUS)


# The model catches them, too


FIRST_FAILURE = settings(
    HISTORIES,
    max_examples=200,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
)


def _failing_history() -> BaseException:
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(EngineAgainstModel, settings=FIRST_FAILURE)
    return caught.value


@pytest.mark.parametrize("bug", [seed.repeat_blindly, seed.callbacks_without_a_key])
def test_the_model_tells_a_seeded_bug_as_python_that_fails_again_and_as_its_log(
    bug: seed.Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    failure = _failing_history()
    assert '{"graph":' in str(failure)
    told = "\n".join(failure.__notes__)
    begin, end = told.index("state = "), told.index("state.teardown()")
    with pytest.raises(AssertionError):
        _replay(dedent(told[begin:end]))


def _replay(history: str) -> None:
    names: dict[str, Any] = {
        "EngineAgainstModel": EngineAgainstModel,
        "Fault": Fault,
        "datetime": dt,
    }
    try:
        exec(history, names)  # noqa: S102 - what this very run has printed
    finally:
        names["state"].teardown()
