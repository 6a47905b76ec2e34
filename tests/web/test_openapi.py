"""The service's OpenAPI document, and what can be made up from it: nothing answers a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from world import World

from sms_fsm.web import create_app

from .serving import TOKEN, Client, serving

EXAMPLES = 25
OPERATIONS = {
    ("POST", "/webhooks/cxone"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/conversations"),
    ("GET", "/conversations/{id}"),
    ("POST", "/conversations/{id}/messages"),
    ("POST", "/conversations/{id}/transfer"),
}


@pytest.fixture
def service(make_world: Callable[..., World]) -> Iterator[tuple[Client, str]]:
    """A service that asks for no signature, and the id of a conversation."""
    world = make_world(api_token=TOKEN)
    app = create_app(world.engine, world.settings, insecure=True, worker=False)
    with serving(app) as client:
        yield client, world.opened()


def _document(client: Client) -> dict[str, Any]:
    answer = client.call("GET", "/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_the_document_names_every_operation(service: tuple[Client, str]) -> None:
    paths = _document(service[0])["paths"]
    assert {(method.upper(), path) for path in paths for method in paths[path]} == OPERATIONS


def test_the_document_is_for_those_who_may_use_the_api(service: tuple[Client, str]) -> None:
    assert service[0].get("/openapi.json").status_code == 401


def test_nothing_that_follows_or_breaks_the_document_is_answered_with_a_5xx(
    service: tuple[Client, str],
) -> None:
    client, identity = service
    schema = schemathesis.openapi.from_dict(_document(client))
    called = set()
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # raises if the document is wrong
        called.add((operation.method.upper(), operation.path))
        for mode in _modes(operation):
            _try(operation, mode, client, identity)
    assert called == OPERATIONS


def _modes(operation: Any) -> tuple[schemathesis.GenerationMode, ...]:
    """What is as it should be, and what is not; an operation without input cannot be got wrong."""
    modes = schemathesis.GenerationMode
    takes_input = any(operation.iter_parameters()) or bool(operation.body)
    return (modes.POSITIVE, modes.NEGATIVE) if takes_input else (modes.POSITIVE,)


def _try(operation: Any, mode: Any, client: Client, identity: str) -> None:
    """Made-up requests; half of them are about a conversation that is there."""
    cases = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.booleans())
    def call(case: Any, known: bool) -> None:
        if known and "id" in case.path_parameters:
            case.path_parameters["id"] = identity
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = case.call(base_url=client.url, headers=headers, session=client.session)
        assert answer.status_code < 500, case.as_curl_command()

    call()
