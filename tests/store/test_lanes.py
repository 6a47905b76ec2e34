"""Effects of one conversation go one at a time, in order; some go beside or before the others."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_fsm.effects import Cancellation, Effect, EffectState, Lane

from .shelf import NOW, Shelf, an_effect


def test_one_ordered_effect_goes_at_a_time_in_the_order_of_planning(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    shelf.happens(an_effect("Third"))
    assert shelf.outbox() == {"First": "pending", "Second": "queued", "Third": "queued"}
    assert shelf.runs() == ["First", "Second", "Third"]


def test_lanes_of_two_conversations_never_wait_for_each_other(shelf: Shelf) -> None:
    shelf.create("c-1")
    shelf.create("c-2", customer="+15550000002")
    for identity in ("c-1", "c-2"):
        shelf.happens(an_effect("First"), an_effect("Second"), identity=identity)
    claimed = {effect.conversation: effect.name for effect in shelf.claim()}
    assert claimed == {"c-1": "First", "c-2": "First"}


def test_an_effect_beside_the_lane_waits_for_nothing(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Slow"), an_effect("Beside", Lane.BESIDE))
    assert {effect.name for effect in shelf.claim()} == {"Slow", "Beside"}


def test_an_effect_in_front_goes_before_all_that_has_not_begun(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    shelf.happens(an_effect("Urgent", Lane.FRONT))
    assert shelf.outbox() == {"First": "queued", "Second": "queued", "Urgent": "pending"}
    assert shelf.runs() == ["Urgent", "First", "Second"]


def test_an_effect_in_front_waits_for_the_one_that_has_begun(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    begun = shelf.claim_one()
    shelf.happens(an_effect("Urgent", Lane.FRONT))
    assert shelf.claim() == []
    shelf.finish(begun)
    assert shelf.runs() == ["Urgent", "Second"]


def test_of_two_in_front_the_one_planned_last_goes_first(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Waiting"))
    shelf.happens(an_effect("Route", Lane.FRONT), an_effect("Open", Lane.FRONT))
    assert shelf.runs() == ["Open", "Route", "Waiting"]


def test_an_effect_in_front_of_an_empty_lane_goes_at_once(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Urgent", Lane.FRONT))
    assert shelf.claim_one().name == "Urgent"


def test_a_deferred_effect_keeps_its_place(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    shelf.defer(shelf.claim_one(), seconds=60)
    assert shelf.claim() == []
    assert shelf.claim_one(now=NOW + timedelta(seconds=60)).name == "First"


def test_cancelling_the_head_lets_the_next_one_go(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    shelf.happens(cancelled=(Cancellation(("First",)),))
    assert shelf.outbox() == {"First": "cancelled", "Second": "pending"}


def test_cancelling_the_head_and_planning_another_keeps_the_order(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    shelf.happens(an_effect("Third"), cancelled=(Cancellation(("First",)),))
    assert shelf.runs() == ["Second", "Third"]


def test_cancelling_in_the_middle_leaves_the_head(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"), an_effect("Third"))
    shelf.happens(cancelled=(Cancellation(("Second",)),))
    assert shelf.runs() == ["First", "Third"]


def test_cancelling_one_message_leaves_the_others(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Post", message=1))
    shelf.happens(an_effect("Post", message=2))
    shelf.happens(cancelled=(Cancellation(("Post",), message=1),))
    states = {effect.message: effect.state for effect in shelf.queries.effects("c-1")}
    assert states == {1: EffectState.CANCELLED, 2: EffectState.PENDING}


def test_an_effect_that_has_begun_is_not_cancelled(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    begun = shelf.claim_one()
    shelf.happens(cancelled=(Cancellation(("First", "Second")),))
    assert shelf.outbox() == {"First": "leased", "Second": "cancelled"}
    assert shelf.finish(begun)
    assert shelf.runs() == []


def test_a_dead_effect_steps_aside(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"))
    shelf.bury(shelf.claim_one(), hold=False)
    assert shelf.outbox() == {"First": "dead", "Second": "pending"}
    assert [effect.reason for effect in shelf.queries.dead_letters()] == ["gave up"]


def test_a_dead_effect_that_holds_keeps_the_others_waiting_until_it_is_revived(
    shelf: Shelf,
) -> None:
    shelf.create()
    shelf.happens(an_effect("Open"), an_effect("Second"))
    dead = shelf.claim_one()
    shelf.bury(dead, hold=True)
    shelf.happens(an_effect("Third"))
    assert shelf.outbox() == {"Open": "dead", "Second": "queued", "Third": "queued"}
    assert shelf.claim() == []
    shelf.revive(dead)
    assert shelf.runs() == ["Open", "Second", "Third"]


def test_a_revived_effect_goes_at_once_when_nothing_is_before_it(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"))
    dead = shelf.claim_one()
    shelf.bury(dead, hold=False)
    later = NOW + timedelta(hours=1)
    shelf.revive(dead, now=later)
    revived = shelf.effect("First")
    assert (revived.state, revived.due_at) == (EffectState.PENDING, later)
    assert (revived.reason, revived.failures, revived.started_at) == (None, 0, None)
    assert shelf.queries.dead_letters() == []


def test_a_revived_effect_waits_for_the_one_that_goes_and_then_has_its_old_place(
    shelf: Shelf,
) -> None:
    shelf.create()
    shelf.happens(an_effect("First"), an_effect("Second"), an_effect("Third"))
    dead = shelf.claim_one()
    shelf.bury(dead, hold=False)
    second = shelf.claim_one()
    shelf.revive(dead)
    assert shelf.claim() == []
    shelf.finish(second)
    assert shelf.runs() == ["First", "Third"]


def test_a_revived_effect_beside_the_lane_goes_at_once(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Ordered"), an_effect("Beside", Lane.BESIDE))
    beside = next(effect for effect in shelf.claim() if effect.name == "Beside")
    shelf.bury(beside, hold=False)
    shelf.revive(beside)
    assert shelf.claim_one().name == "Beside"


def test_only_a_dead_letter_is_found_as_one(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("First"))
    effect = shelf.claim_one()
    assert shelf.repository.write(lambda uow: uow.dead(effect.id)) is None
    assert shelf.repository.write(lambda uow: uow.dead("c-1:9:9")) is None
    shelf.bury(effect, hold=False)
    found = shelf.repository.write(lambda uow: uow.dead(effect.id))
    assert found is not None
    assert found.id == effect.id


def test_an_effect_that_steps_back_goes_again_after_one_put_in_front(shelf: Shelf) -> None:
    shelf.create()
    shelf.happens(an_effect("Post"), an_effect("Next"))
    blocked = shelf.claim_one()
    shelf.settle(blocked, lambda uow: uow.step_back(blocked, failed=False))
    shelf.happens(an_effect("Reactivate", Lane.FRONT))
    assert shelf.outbox() == {"Post": "queued", "Next": "queued", "Reactivate": "pending"}
    assert shelf.runs() == ["Reactivate", "Post", "Next"]


class _Life:
    """What may happen to the ordered effects of one conversation, in any order."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.identity = f"c-{len(shelf.queries.conversations(None, None, 1000))}"
        shelf.create(self.identity, isolation=self.identity)
        self.finished: list[int] = []
        self.revived: set[int] = set()
        self._planned = 0

    def plan(self) -> None:
        self._shelf.happens(an_effect(str(self._planned)), identity=self.identity)
        self._planned += 1

    def finish(self) -> None:
        for effect in self._claim():
            self._shelf.finish(effect)
            self.finished.append(int(effect.name))

    def defer(self) -> None:
        for effect in self._claim():
            self._shelf.defer(effect)

    def bury(self) -> None:
        for effect in self._claim():
            self._shelf.bury(effect, hold=False)

    def hold(self) -> None:
        for effect in self._claim():
            self._shelf.bury(effect, hold=True)

    def revive(self) -> None:
        for dead in self._shelf.queries.dead_letters():
            self._shelf.revive(dead)
            self.revived.add(int(dead.name))

    def finish_all(self) -> None:
        self.revive()
        for _ in range(self._planned):
            self.finish()

    def _claim(self) -> list[Effect]:
        claimed = self._shelf.claim(now=NOW + timedelta(days=1))
        assert len(claimed) <= 1
        return claimed


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    acts=st.lists(
        st.sampled_from(["plan", "plan", "finish", "defer", "bury", "hold", "revive"]), max_size=20
    )
)
def test_whatever_happens_each_ordered_effect_finishes_once_and_in_order(
    shelf: Shelf, acts: list[str]
) -> None:
    life = _Life(shelf)
    for act in acts:
        getattr(life, act)()
    life.finish_all()
    assert sorted(life.finished) == list(range(acts.count("plan")))
    untroubled = [number for number in life.finished if number not in life.revived]
    assert untroubled == sorted(untroubled)
