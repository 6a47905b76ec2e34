"""A tenant to test against: its address, its settings, and a clock that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sms_fsm.config import Settings

HOST = "https://cxone.test"
API = f"{HOST}/api/v2"
TOKEN_URL = f"{API}/oauth/token"


class MovableClock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def settings_for(url: str) -> Settings:
    return Settings(
        cxone_url=url, client_id="client-1", client_secret="canary-secret", queue_id="queue-1"
    )
