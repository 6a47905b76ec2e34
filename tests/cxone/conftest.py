"""A client of a tenant that `responses` plays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from sms_fsm.cxone import CXoneClient, connect

from .tenant import HOST, TOKEN_URL, MovableClock, settings_for


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def platform() -> Iterator[responses.RequestsMock]:
    """Answers every token request; all else is up to the test."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(
            TOKEN_URL,
            json={"access_token": "canary-access", "token_type": "Bearer", "expires_in": 3600},
        )
        yield mock


@pytest.fixture
def client(clock: MovableClock, platform: responses.RequestsMock) -> CXoneClient:
    return connect(settings_for(HOST), clock=clock, token_store=None)
