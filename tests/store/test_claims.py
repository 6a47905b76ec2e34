"""Each effect has one worker at a time, for the length of a lease."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sms_fsm.effects import EffectState, Lane

from .shelf import NOW, Shelf, an_effect, at_once

_OVER = -1.0
"""Seconds of a lease that ran out before it was granted: no test needs to wait for that."""


def _with_effects(shelf: Shelf, number: int) -> None:
    shelf.create()
    shelf.happens(*(an_effect(f"Beside{n}", Lane.BESIDE) for n in range(number)))


def test_threads_that_claim_at_once_never_get_the_same_effect(shelf: Shelf) -> None:
    _with_effects(shelf, 30)
    claims = at_once([partial(shelf.claim, limit=5)] * 8)
    got = [effect.id for claimed in claims for effect in claimed]
    while more := shelf.claim(limit=5):
        got += [effect.id for effect in more]
    assert len(got) == 30
    assert len(set(got)) == 30


def test_a_claim_takes_no_more_than_asked(shelf: Shelf) -> None:
    _with_effects(shelf, 5)
    assert len(shelf.claim(limit=2)) == 2
    assert len(shelf.claim(limit=2)) == 2
    assert len(shelf.claim(limit=2)) == 1
    assert shelf.claim(limit=2) == []


def test_what_is_due_longest_goes_first(shelf: Shelf) -> None:
    shelf.create()
    for seconds in (30, 10, 20):
        wait = timedelta(seconds=seconds)
        shelf.happens(an_effect(f"In{seconds}", Lane.BESIDE, due_in=wait))
    late = NOW + timedelta(minutes=1)
    assert [effect.name for effect in shelf.claim(now=late, limit=2)] == ["In10", "In20"]


def test_nothing_goes_before_it_is_due(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Later", Lane.BESIDE, due_in=timedelta(seconds=5)))
    assert shelf.claim(now=NOW + timedelta(seconds=4, microseconds=999_999)) == []
    assert shelf.claim_one(now=NOW + timedelta(seconds=5)).name == "Later"


def test_a_claim_counts_an_attempt_and_starts_the_time_for_retries_once(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    first = shelf.claim_one(lease_seconds=_OVER)
    later = NOW + timedelta(minutes=5)
    second = shelf.claim_one(now=later)
    assert (first.attempts, second.attempts) == (1, 2)
    assert first.started_at == second.started_at == NOW


def test_an_effect_whose_lease_ran_out_is_claimed_again_as_interrupted(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    first = shelf.claim_one(lease_seconds=_OVER)
    second = shelf.claim_one()
    assert first.id == second.id
    assert not first.interrupted
    assert second.interrupted
    assert second.token > first.token


def test_an_effect_under_a_lease_is_left_alone(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    shelf.claim_one(lease_seconds=60)
    assert shelf.claim(now=NOW + timedelta(days=9)) == []


def test_a_worker_that_lost_its_lease_writes_nothing(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    stale = shelf.claim_one(lease_seconds=_OVER)
    fresh = shelf.claim_one()
    assert not shelf.finish(stale)
    assert shelf.effect("Beside0").state is EffectState.LEASED
    assert shelf.finish(fresh)
    assert shelf.effect("Beside0").state is EffectState.DONE


def test_a_worker_whose_lease_nobody_took_over_may_still_write(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    late = shelf.claim_one(lease_seconds=_OVER)
    assert shelf.finish(late)


def test_a_finished_effect_cannot_be_finished_again(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    effect = shelf.claim_one()
    assert shelf.finish(effect)
    assert not shelf.finish(effect)


def test_of_threads_that_take_an_effect_back_one_succeeds(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    effect = shelf.claim_one()
    assert at_once([partial(shelf.finish, effect)] * 4).count(True) == 1


def test_a_released_effect_goes_again_without_suspicion(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    shelf.repository.release([shelf.claim_one()])
    assert not shelf.claim_one().interrupted


def test_a_worker_cannot_release_what_another_took_over(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    stale = shelf.claim_one(lease_seconds=_OVER)
    shelf.claim_one()
    shelf.repository.release([stale])
    assert shelf.effect("Beside0").state is EffectState.LEASED


def test_a_deferred_effect_keeps_what_is_known_of_it(shelf: Shelf) -> None:
    _with_effects(shelf, 1)
    effect = shelf.claim_one()
    due_at = NOW + timedelta(seconds=7)
    shelf.settle(
        effect,
        lambda uow: uow.defer(
            effect,
            due_at=due_at,
            reason="no answer",
            failed=True,
            unknown_since=NOW,
            looked_up=True,
            data={"wait_seconds": 600},
        ),
    )
    waiting = shelf.effect("Beside0")
    assert (waiting.state, waiting.due_at) == (EffectState.PENDING, due_at)
    assert (waiting.reason, waiting.failures) == ("no answer", 1)
    assert (waiting.unknown_since, waiting.looked_up) == (NOW, True)
    assert waiting.data == {"wait_seconds": 600}
    assert waiting.started_at == NOW


def test_an_effect_that_waits_without_having_failed_gets_its_time_for_retries_anew(
    shelf: Shelf,
) -> None:
    _with_effects(shelf, 1)
    shelf.defer(shelf.claim_one(), seconds=0)
    effect = shelf.claim_one()
    assert effect.failures == 1
    shelf.settle(effect, lambda uow: uow.defer(effect, due_at=NOW, reason=None, failed=False))
    waiting = shelf.effect("Beside0")
    assert (waiting.failures, waiting.started_at) == (0, None)


def test_timers_that_are_due_are_found_longest_overdue_first(shelf: Shelf) -> None:
    for identity, hours in (("c-1", 3), ("c-2", 1), ("c-3", 9)):
        shelf.create(identity, customer=f"+1555000000{hours}")
        shelf.happens(identity=identity, timers=(("IdleElapsed", NOW + timedelta(hours=hours)),))
    due = shelf.repository.due_timers(NOW + timedelta(hours=3), limit=10)
    assert list(due) == ["c-2", "c-1"]
    assert list(shelf.repository.due_timers(NOW + timedelta(hours=3), limit=1)) == ["c-2"]
