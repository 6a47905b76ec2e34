"""An engine against the fake platform, on a frozen clock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sms_fsm import Engine, InboundMessage, Settings
from sms_fsm.testing import FakePlatform, FrozenClock

CUSTOMER, BUSINESS = "+15551234567", "+18885550100"


@dataclass(frozen=True, slots=True)
class Host:
    """What a host's own tests have."""

    engine: Engine
    platform: FakePlatform
    clock: FrozenClock

    def texted(self, key: str = "m1") -> str:
        """A customer's text came in; gives the conversation."""
        message = InboundMessage(message_id=key, from_=CUSTOMER, to=BUSINESS, text="hi")
        return str(self.engine.receive(message).conversation)

    def opened(self) -> str:
        conversation = self.texted()
        self.engine.drain()
        return conversation

    def events(self, conversation: str) -> list[str]:
        return [event.name for event in self.engine.history(conversation)]


@pytest.fixture
def host(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Host]:
    file = shutil.copy(migrated_sqlite, tmp_path / "host.db")
    platform, clock = FakePlatform(), FrozenClock()
    settings = Settings(database_url=f"sqlite:///{file}", queue_id="support", workers=1)
    with Engine.from_settings(settings, clock=clock, platform=platform) as engine:
        yield Host(engine, platform, clock)
