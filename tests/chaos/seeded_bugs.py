"""Bugs that the harness must catch, each as a patch to the product."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest

from sms_fsm import actions
from sms_fsm.conversation import Conversation
from sms_fsm.cxone import payloads
from sms_fsm.cxone.auth import TokenProvider
from sms_fsm.cxone.client import CXoneClient
from sms_fsm.cxone.transport import Transport
from sms_fsm.dispatch import dispatcher, opening, others, posting
from sms_fsm.dispatch.dispatcher import Dispatcher
from sms_fsm.dispatch.outcome import Attempt
from sms_fsm.effects import Effect, EffectState
from sms_fsm.intake import Fact, Intake
from sms_fsm.logs import get_logger
from sms_fsm.ports import UnitOfWork
from sms_fsm.recorder import Recorder
from sms_fsm.store.unit_of_work import UnitOfWork as SqlUnitOfWork
from sms_fsm.values import evolve

Patch = pytest.MonkeyPatch


class _CommittedLater(Exception):
    """Carries the answer out of a transaction that is yet to be committed."""

    def __init__(self, answer: Sequence[Any]) -> None:
        self.answer = answer


def acknowledge_before_the_commit(patch: Patch) -> None:
    """The commit was to come a little later: then came the crash."""

    def take(self: Intake, facts: Sequence[Fact]) -> Sequence[Any]:
        def work(uow: UnitOfWork) -> None:
            raise _CommittedLater([fact.take(uow) for fact in facts])

        try:
            self._store.write(work)
        except _CommittedLater as later:
            return later.answer
        raise AssertionError("the work always raises")

    patch.setattr(Intake, "take", take)


def deduplicate_outside_of_the_transaction(patch: Patch) -> None:
    """Two copies at once: both look, and neither is there yet."""
    looked = threading.Barrier(2, timeout=10)

    def take(self: Intake, facts: Sequence[Fact]) -> Sequence[Any]:
        known = self._store.write(lambda uow: uow.known(str(facts[0].reads.key), self._clock()))
        looked.wait()

        def work(uow: UnitOfWork) -> list[Any]:
            patch.setattr(uow, "known", lambda *_: known)
            patch.setattr(uow, "remember", lambda *_, **__: None)
            return [fact.take(uow) for fact in facts]

        return self._store.write(work)

    patch.setattr(Intake, "take", take)


def repeat_blindly(patch: Patch) -> None:
    """A time-out is taken for a failure."""
    patch.setattr(Attempt, "lost", lambda self, error, _: self.delayed(error))


def take_absent_at_once(patch: Patch) -> None:
    """What the first look-up does not find is taken for absent."""
    patch.setattr(Attempt, "unsettled", lambda _: None)


def look_at_one_page_only(patch: Patch) -> None:
    patch.setattr(CXoneClient, "_to_the_end", lambda _, page, *__: iter(page))


def believe_a_cut_list(patch: Patch) -> None:
    """A list that does not go on is taken for one that has ended."""
    read = payloads.messages_after
    patch.setattr(payloads, "messages_after", lambda _, body: read(None, body))


def forget_who_did_not_come_back(patch: Patch) -> None:
    """A worker that vanished is taken for one that never called."""
    patch.setattr(Dispatcher, "_suspected", lambda _, effect: effect)


def new_reference_each_time(patch: Patch) -> None:
    patch.setattr(posting, "_reference", lambda *_: str(uuid4()))


def no_fencing(patch: Patch) -> None:
    """Whoever had a lease once may write."""

    def take_back(self: Any, effect: Effect) -> bool:
        held = self._held[effect.conversation]
        if held.lane_head == effect.id:
            held.lane_head, held.released, held.advancing = None, effect.id, True
        return True

    patch.setattr(SqlUnitOfWork, "take_back", take_back)


def finish_before_the_call(patch: Patch) -> None:
    """A text is done as soon as somebody has it."""
    real = Dispatcher._carry_out

    def finish(uow: UnitOfWork, effect: Effect) -> None:
        uow.lock(effect.conversation)
        uow.finish(effect)

    def carry_out(self: Dispatcher, effect: Effect, ends: float) -> None:
        if effect.name == "PostMessage":
            self._store.write(partial(finish, effect=effect))
        real(self, effect, ends)

    patch.setattr(Dispatcher, "_carry_out", carry_out)


def every_text_at_once(patch: Patch) -> None:
    """No lane for texts in an open conversation: the later one may go earlier."""
    real = SqlUnitOfWork._place

    def place(self: Any, step: Any, number: int, planned: Any, *rest: Any) -> Any:
        if planned.name == "PostMessage" and step.after.state not in ("new", "archived"):
            return EffectState.PENDING, None
        return real(self, step, number, planned, *rest)

    patch.setattr(SqlUnitOfWork, "_place", place)


def create_without_looking(patch: Patch) -> None:
    patch.setattr(opening, "_adopt_or_create", opening._create)


def no_reference_of_the_creation(patch: Patch) -> None:
    """A lost creation is taken for one that was not made; another pair's look-up finds nothing."""
    patch.setattr(opening, "_settle_creation", lambda _: None)
    patch.setattr(opening, "_matches", lambda *_: [])


def open_what_is_open(patch: Patch) -> None:
    """Each opening makes a conversation, whether or not an earlier one has made it."""
    performers = {**dispatcher._PERFORMERS, "OpenConversation": opening._create}
    patch.setattr(dispatcher, "_PERFORMERS", MappingProxyType(performers))


def plan_each_opening(patch: Patch) -> None:
    """Two texts that find the conversation closed open two successors."""
    real = actions._before_all

    def before_all(name: str, conversation: Conversation) -> Any:
        return real(name, evolve(conversation, opening=False))

    patch.setattr(actions, "_before_all", before_all)
    open_what_is_open(patch)


def bare_plus(patch: Patch) -> None:
    real = Transport._prepared

    def prepared(self: Transport, *call: Any) -> Any:
        request = real(self, *call)
        request.url = str(request.url).replace("%2B", "+")
        return request

    patch.setattr(Transport, "_prepared", prepared)


def renew_without_a_lock(patch: Patch) -> None:
    """Each thread that finds an old token gets a new one, and does not look whether it is there."""
    both = threading.Barrier(2, timeout=10)

    def renewed(self: TokenProvider, deadline: Any, **_: Any) -> Any:
        if self._held is not None:
            both.wait()
        return self._issued(deadline)

    patch.setattr(TokenProvider, "_renewed", renewed)


def log_the_token(patch: Patch) -> None:
    real = Transport._prepared

    def prepared(self: Transport, *call: Any) -> Any:
        request = real(self, *call)
        get_logger("sms_fsm.cxone").debug("cxone.request", headers=dict(request.headers))
        return request

    patch.setattr(Transport, "_prepared", prepared)


def callbacks_without_a_key(patch: Patch) -> None:
    """Each copy of a carrier's word is one more word."""
    patch.setattr(Recorder, "_seen", lambda *_: False)
    patch.setattr(Recorder, "_remember", lambda *_: None)


def stale_carrier_route(patch: Patch) -> None:
    """An archived conversation is brought back with the carrier link that it had."""
    real = payloads.reactivation_request

    def request(routing: Any) -> dict[str, Any]:
        body = real(routing)
        del body["routing"]["refresh_carrier_route"]
        return body

    patch.setattr(payloads, "reactivation_request", request)


def undeclared_encoding(patch: Patch) -> None:
    real = payloads.message_request

    def request(new: Any) -> dict[str, Any]:
        body = real(new)
        del body["encoding"]
        return body

    patch.setattr(payloads, "message_request", request)


def believe_the_list_of_messages(patch: Patch) -> None:
    """What CXone took counts as delivered."""

    def poll(attempt: Attempt) -> Any:
        listed = attempt.platform.list_messages(attempt.conversation_id, timeout_seconds=5)
        ids = {message.message_id for message in listed}
        reports = tuple(
            {
                "message_id": one,
                "conversation_id": attempt.conversation_id,
                "status": "delivered",
                "status_code": None,
                "carrier_status": None,
                "error_code": None,
            }
            for one in ids
        )
        return replace(others.poll_delivery(attempt), reports=reports)

    performers = {**dispatcher._PERFORMERS, "PollDelivery": poll}
    patch.setattr(dispatcher, "_PERFORMERS", MappingProxyType(performers))


Seed = Callable[[Patch], None]
