"""A client of a tenant that `responses` plays: with a token desk that behaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from sms_fsm.cxone import CXoneClient, connect

from .tenant import API, HOST, TOKEN_URL, MovableClock, settings_for
from .token_desk import TokenDesk


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def desk() -> TokenDesk:
    return TokenDesk()


@pytest.fixture
def platform(desk: TokenDesk) -> Iterator[responses.RequestsMock]:
    """Issues tokens and lists no delivery statuses; all else is up to the test."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(responses.POST, TOKEN_URL, desk)
        mock.add_callback(responses.GET, f"{API}/delivery-status", desk.api)
        yield mock


@pytest.fixture
def client(clock: MovableClock, platform: responses.RequestsMock) -> CXoneClient:
    return connect(settings_for(HOST), clock=clock, token_store=None)
