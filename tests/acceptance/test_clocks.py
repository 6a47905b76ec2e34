"""CONTRACT §2, `clock`: it may show the time of any place, and every wait has its length there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from world import MovingClock, World

from sms_fsm import Engine, Settings, SettingsError

CHANGES = (
    ("Europe/Berlin", datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 5, 59, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 59, 30, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2028, 2, 28, 18, 14, 30, tzinfo=UTC)),
)
"""Zones, and moments half a minute before their clocks are set, or a leap day begins."""


class WallClock(MovingClock):
    """Shows the time of some place."""

    def __init__(self, zone: str, now: datetime) -> None:
        super().__init__()
        self.now = now
        self._zone = ZoneInfo(zone)

    def __call__(self) -> datetime:
        return self.now.astimezone(self._zone)


@pytest.fixture(params=CHANGES, ids=lambda change: f"{change[0]} {change[1]:%b}")
def clock(request: pytest.FixtureRequest) -> WallClock:
    """The clock of the world, hung up in some place."""
    return WallClock(*request.param)


def _after(world: World, **length: float) -> int:
    world.clock.forward(**length)
    return world.engine.drain()


def test_a_wait_over_a_change_of_the_clocks_has_its_length(world: World) -> None:
    identity = world.opened()
    message = world.replied(identity)
    world.says(message, "failed", "UNDELIV")
    assert _after(world, seconds=59) == 0
    assert _after(world, seconds=1) > 0
    assert len(world.message(identity, message.key).message_ids) == 2


def test_days_of_silence_over_a_change_of_the_clocks_have_their_length(world: World) -> None:
    identity = world.opened()
    _after(world, hours=71.99)
    assert world.state(identity) == "routed"
    _after(world, hours=0.01)
    assert world.state(identity) == "archived"


def test_the_log_is_in_utc(world: World) -> None:
    (event, *_) = world.engine.history(world.opened())
    assert (event.at, event.at.utcoffset()) == (world.clock.now, timedelta())


NO_CLOCKS: Sequence[Callable[[], Any]] = (
    lambda: datetime(2026, 3, 1, 12),  # noqa: DTZ001 - without a zone on purpose
    lambda: 1_767_225_600.0,
    lambda: None,
)


@pytest.mark.parametrize("clock", NO_CLOCKS)
def test_a_clock_without_a_zone_is_refused_before_a_store_is_made(
    clock: Callable[[], Any], tmp_path: Path
) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/store.db",
        cxone_url="https://cxone.invalid",
        client_id="demo-client",
        client_secret="demo-secret",
        queue_id="queue",
    )
    with pytest.raises(SettingsError, match="clock: expected it to give a datetime"):
        Engine.from_settings(settings, clock=clock)
    assert list(tmp_path.iterdir()) == []
