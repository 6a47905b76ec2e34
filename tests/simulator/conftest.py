"""A running simulator and a client with a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sms_fsm.simulator import Simulator

from .wire_client import Client, MovableClock, Wire


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def wire() -> Wire:
    return Wire()


@pytest.fixture
def sim(clock: MovableClock) -> Iterator[Simulator]:
    simulator = Simulator(clock=clock)
    with simulator.serve():
        yield simulator


@pytest.fixture
def client(sim: Simulator, wire: Wire) -> Iterator[Client]:
    with requests.Session() as session:
        session.trust_env = False
        client = Client(sim.url, wire, session)
        client.log_in()
        yield client
