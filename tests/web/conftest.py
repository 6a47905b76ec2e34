"""A world with a service in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from world import World

from sms_fsm.web import create_app

from .serving import SECRET, TOKEN, Client, serving


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Callbacks must be signed; API and page are on."""
    return make_world(webhook_secret=SECRET, api_token=TOKEN)


@pytest.fixture
def service(world: World) -> Iterator[Client]:
    """The service without a worker: tests say when effects are carried out."""
    with serving(create_app(world.engine, world.settings, worker=False)) as client:
        yield client
