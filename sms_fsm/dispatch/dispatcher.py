"""Workers: claim what is due, carry it out, record what became of it.

Any number of threads, processes and hosts may do this at once: a lease makes sure that each
effect has one worker, a fencing token that a worker which lost its lease writes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

from sms_fsm import events
from sms_fsm.config import Settings
from sms_fsm.dispatch import others
from sms_fsm.dispatch.opening import open_conversation, reactivate_conversation
from sms_fsm.dispatch.outcome import (
    Again,
    Attempt,
    Dead,
    Finished,
    LeaseTooShort,
    Outcome,
    StepBack,
    Surroundings,
)
from sms_fsm.dispatch.posting import post_message
from sms_fsm.effects import Effect
from sms_fsm.errors import CXoneError, StoreUnavailable
from sms_fsm.graph import OnFailure
from sms_fsm.logs import get_logger
from sms_fsm.machines import Machines
from sms_fsm.ports import Bell, Reads, Store, UnitOfWork
from sms_fsm.recorder import Recorder

_log = get_logger(__name__)

_PERFORMERS: Mapping[str, Callable[[Attempt], Outcome]] = MappingProxyType(
    {
        "OpenConversation": open_conversation,
        "ReactivateConversation": reactivate_conversation,
        "PostMessage": post_message,
        "RouteConversation": others.route_conversation,
        "UpdateRouting": others.update_routing,
        "PollDelivery": others.poll_delivery,
        "SendFallback": others.send_fallback,
    }
)
_TIMERS_AT_ONCE = 100
_TIMERS_WAIT_SECONDS = 1.0
_FORGET_AT_ONCE = 500
_FORGET_EVERY_SECONDS = 60.0


class Dispatcher:
    """Carries out effects and timers that are due.

    Args:
        around: what effects are carried out with.
        bell: ends the wait for work.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        machines: Machines,
        settings: Settings,
        around: Surroundings,
        *,
        bell: Bell,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._machines = machines
        self._settings = settings
        self._around = around
        self._bell = bell
        self._forgot_at: float | None = None
        self._timers_at = 0.0

    def drain(self, *, limit: int | None = None) -> int:
        """Carry out all that is due now, and what that plans for now; gives how many."""
        with ThreadPoolExecutor(self._settings.workers, "sms-fsm-worker") as pool:
            done = self._rounds(pool, limit, threading.Event())
        self._forget()
        return done

    def work(self, stop: threading.Event, *, poll_interval: float = 0.5) -> None:
        """The same until ``stop`` is set; looks for work when the bell rings.

        It looks every ``poll_interval`` seconds at the least. What it holds when it stops is
        finished first. A store that is away is waited for.
        """
        with (
            self._bell.attended(stop),
            ThreadPoolExecutor(self._settings.workers, "sms-fsm-worker") as pool,
        ):
            while not stop.is_set():
                rung = self._bell.times
                try:
                    self._rounds(pool, None, stop)
                    self._forget()
                except StoreUnavailable as error:
                    _log.error("worker.store_unavailable", error=str(error))
                self._bell.wait(rung, poll_interval)

    def _rounds(self, pool: ThreadPoolExecutor, limit: int | None, stop: threading.Event) -> int:
        done = 0
        running: set[Future[None]] = set()
        try:
            while not stop.is_set() and (limit is None or done + len(running) < limit):
                room = self._settings.workers - len(running)
                if limit is not None:
                    room = min(room, limit - done - len(running))
                started = self._start(pool, room)
                running |= started
                fired = 0
                if len(started) < room or self._timers_wait():
                    left = None if limit is None else limit - done - len(running)
                    fired = self._fire_timers(left)
                done += fired
                if not running and not fired:
                    break
                done += self._collect(running, block=not fired)
        finally:
            wait(running)
        return done + sum(1 for future in running if future.result() is None)

    def _start(self, pool: ThreadPoolExecutor, room: int) -> set[Future[None]]:
        if room <= 0:
            return set()
        ends = time.monotonic() + self._settings.lease_seconds
        claimed = self._store.claim(
            self._around.clock(), limit=room, lease_seconds=self._settings.lease_seconds
        )
        return {pool.submit(self._carry_out, effect, ends) for effect in claimed}

    @staticmethod
    def _collect(running: set[Future[None]], *, block: bool) -> int:
        finished, _ = wait(running, None if block else 0, return_when=FIRST_COMPLETED)
        running -= finished
        for future in finished:
            future.result()
        return len(finished)

    # One effect

    def _carry_out(self, effect: Effect, ends: float) -> None:
        try:
            self._call_and_record(effect, ends)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a host's guard or a lost graph must not stop the others
            _log.exception("effect.unrecordable", effect=effect.id, effect_name=effect.name)
            postpone = partial(self._postpone, effect=effect, reason=type(error).__name__)
            self._store.write(postpone, _reads(effect))

    def _postpone(self, uow: UnitOfWork, *, effect: Effect, reason: str) -> None:
        """What it led to could not be recorded: whether it called is unknown from now on."""
        if uow.lock(effect.conversation) is None or not uow.take_back(effect):
            return
        now = self._around.clock()
        due_at = now + timedelta(seconds=self._settings.backoff_max_seconds)
        uow.defer(effect, due_at=due_at, reason=reason, failed=True, unknown_since=now)

    def _call_and_record(self, effect: Effect, ends: float) -> None:
        effect = self._suspected(effect)
        attempt = self._attempt(effect, ends)
        outcome = self._perform(attempt)
        self._store.write(lambda uow: self._record(uow, effect, outcome), _reads(effect))
        _log.debug(
            "effect.carried_out",
            effect=effect.id,
            effect_name=effect.name,
            next=type(outcome.then).__name__,
        )

    def _suspected(self, effect: Effect) -> Effect:
        """A worker that did not come back may have called: that is unknown from now on.

        When an earlier answer got lost says nothing about the call that it may have made.
        """
        if not effect.interrupted:
            return effect
        return replace(effect, unknown_since=self._around.clock())

    def _attempt(self, effect: Effect, ends: float) -> Attempt:
        subject = self._store.subject(effect)
        return Attempt(
            effect=effect,
            conversation=subject.conversation,
            message=subject.message,
            graph=self._machines.of(subject.conversation).graph,
            around=self._around,
            ends=ends,
            opted_out=subject.opted_out,
        )

    def _perform(self, attempt: Attempt) -> Outcome:
        effect = attempt.effect
        perform = others.raise_timer if effect.timer else _PERFORMERS.get(effect.name)
        try:
            return (perform or others.host_effect)(attempt)
        except LeaseTooShort:
            soon = attempt.now + timedelta(seconds=self._settings.backoff_base_seconds)
            reason = "the lease left no time for another call"
            return Outcome(Again(soon, reason, unknown_since=effect.unknown_since))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one poisoned effect must not stop the others
            _log.exception("effect.broken", effect=effect.id, effect_name=effect.name)
            broken = CXoneError(effect.name, status=None, code=type(error).__name__, retryable=True)
            return attempt.delayed(broken, unknown_since=attempt.now)

    def _record(self, uow: UnitOfWork, effect: Effect, outcome: Outcome) -> None:
        """Write what became of an effect, unless another worker took it over meanwhile."""
        if uow.lock(effect.conversation) is None or not uow.take_back(effect):
            _log.warning("effect.lease_lost", effect=effect.id, effect_name=effect.name)
            return
        if self._taken_meanwhile(uow, effect, outcome):
            outcome = Outcome(Again(self._around.clock(), "another pair adopted it first"))
        self._settle(uow, effect, outcome)
        for event in outcome.events:
            conversation = uow.lock(effect.conversation)
            if conversation is not None:
                self._recorder.record(uow, conversation, event)
        for status in outcome.reports:
            self._recorder.report(uow, status, source="poll")

    @staticmethod
    def _taken_meanwhile(uow: UnitOfWork, effect: Effect, outcome: Outcome) -> bool:
        """Whether another pair holds the CXone conversation that this one was about to adopt."""
        ids = [e.data["conversation_id"] for e in outcome.events if e.name == "ConversationOpened"]
        return bool(ids) and bool(uow.held_by_others(effect.conversation, ids))

    def _settle(self, uow: UnitOfWork, effect: Effect, outcome: Outcome) -> None:
        match outcome.then:
            case Finished():
                uow.finish(effect)
            case StepBack(failed):
                uow.step_back(effect, failed=failed)
            case Again() as again:
                uow.defer(
                    effect,
                    due_at=again.due_at,
                    reason=again.reason,
                    failed=again.failed,
                    unknown_since=again.unknown_since,
                    looked_up=again.looked_up,
                    data=again.data,
                )
            case Dead(reason):
                _log.error("effect.dead", effect=effect.id, effect_name=effect.name, reason=reason)
                uow.bury(effect, reason, hold=self._holds(uow, effect))

    def _holds(self, uow: UnitOfWork, effect: Effect) -> bool:
        conversation = uow.lock(effect.conversation)
        if conversation is None:
            return False
        declared = self._machines.of(conversation).graph.effects.get(effect.name)
        return declared is not None and declared.on_failure is OnFailure.HOLD

    # Timers and old keys

    def _timers_wait(self) -> bool:
        """Whether timers were not looked at for long, because there were effects to begin."""
        return time.monotonic() - self._timers_at >= _TIMERS_WAIT_SECONDS

    def _fire_timers(self, limit: int | None) -> int:
        self._timers_at = time.monotonic()
        now = self._around.clock()
        at_once = _TIMERS_AT_ONCE if limit is None else min(limit, _TIMERS_AT_ONCE)
        if at_once <= 0:
            return 0
        due = self._store.due_timers(now, limit=at_once)
        return sum(self._fire_one(identity, now) for identity in due)

    def _fire_one(self, identity: str, now: datetime) -> int:
        try:
            fire = partial(self._fire, identity=identity, now=now)
            return self._store.write(fire, Reads(conversation=identity))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - a host's guard or a lost graph must not stop the others
            _log.exception("timer.unrecordable", conversation=identity)
            return 0

    def _fire(self, uow: UnitOfWork, *, identity: str, now: datetime) -> int:
        conversation = uow.lock(identity)
        due = [name for name, at in conversation.timers if at <= now] if conversation else []
        if conversation is None or not due:
            return 0
        self._recorder.record(uow, conversation, events.timer_elapsed(now, due[0]))
        return 1

    def _forget(self) -> None:
        """Remove old keys now and then, in small bites."""
        present = time.monotonic()
        if self._forgot_at is not None and present - self._forgot_at < _FORGET_EVERY_SECONDS:
            return
        self._forgot_at = present
        now = self._around.clock()
        self._store.write(lambda uow: uow.forget(now, limit=_FORGET_AT_ONCE))


def _reads(effect: Effect) -> Reads:
    """What recording its outcome reads."""
    return Reads(conversation=effect.conversation, effect=effect.id, message=effect.message)
