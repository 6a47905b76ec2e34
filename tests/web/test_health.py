"""Health and figures: they say what is wrong, count what happened, and scan nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from world import BUSINESS, CUSTOMER, World

from sms_fsm.errors import StoreUnavailable
from sms_fsm.simulator import Fault
from sms_fsm.web import create_app

from .serving import Client, serving, text


@pytest.fixture
def app(world: World) -> FastAPI:
    return create_app(world.engine, world.settings, worker=False)


@pytest.fixture
def service(app: FastAPI) -> Iterator[Client]:
    with serving(app) as client:
        yield client


def figures(service: Client) -> dict[str, float]:
    """Every sample of the exposition by its name with labels."""
    lines = service.get("/metrics").text.splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_a_service_that_is_well_says_so(service: Client) -> None:
    for path in ("/livez", "/readyz"):
        answer = service.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_stays_ready_while_cxone_is_down_and_stores_callbacks(
    service: Client, world: World
) -> None:
    world.simulator.stop()
    assert service.get("/readyz").status_code == 200
    assert service.send(text("m-1")).status_code == 200


def test_a_service_that_drains_is_not_ready_but_alive(app: FastAPI, service: Client) -> None:
    app.state.service.drain()
    answer = service.get("/readyz")
    assert answer.status_code == 503
    assert "draining" in answer.json()["wrong"]["service"]
    assert service.get("/livez").status_code == 200
    assert service.send(text("m-1")).status_code == 200


def test_a_store_that_is_away_is_named_and_its_return_too(
    service: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs() -> None:
        time.sleep(4)

    monkeypatch.setattr(world.engine, "check_store", hangs)
    assert service.get("/readyz").json()["wrong"] == {"store": "the store does not answer"}
    assert service.get("/livez").status_code == 200
    monkeypatch.undo()
    deadline = time.monotonic() + 15
    while service.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline


def test_a_worker_that_ended_unexpectedly_is_not_alive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.engine, "work", lambda _: None)
    with serving(create_app(world.engine, world.settings)) as service:
        answer = service.get("/livez")
        assert answer.status_code == 503
        assert "worker" in answer.json()["wrong"]


def test_a_worker_that_is_stuck_is_not_alive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(world.engine, world.settings)
    with serving(app) as service:
        assert service.get("/livez").status_code == 200
        worker = app.state.service.worker
        monkeypatch.setattr(worker, "_longest_silence", -1)
        assert "stuck" in service.get("/livez").json()["wrong"]["worker"]


def test_the_worker_beside_the_service_carries_effects_out(world: World) -> None:
    with serving(create_app(world.engine, world.settings)) as service:
        identity = service.send(text("m-1")).json()["results"][0]["conversation"]
        deadline = time.monotonic() + 20
        while world.state(identity) != "routed":
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_callbacks_are_counted_by_what_became_of_them(service: Client) -> None:
    service.send(text("m-1"))
    service.send(text("m-1"))
    service.send({"type": "nonsense"})
    service.post("/webhooks/cxone", data=b"{}")
    service.post("/webhooks/cxone", data=b"x" * 300_000)
    found = figures(service)
    for result, number in (("stored", 2), ("malformed", 1), ("unsigned", 1), ("too_large", 1)):
        assert found[f'smsfsm_ingress_requests_total{{result="{result}"}}'] == number
    assert found["smsfsm_ingress_duration_seconds_count"] == 5


def test_attempts_moves_and_dead_letters_are_counted(service: Client, world: World) -> None:
    world.simulator.fault(Fault("createConversation", kind="reset", times=1))
    identity = world.opened()
    world.clock.forward(seconds=120)
    world.engine.drain()
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.replied(identity)
    found = figures(service)
    attempts = "smsfsm_effect_attempts_total"
    assert found[f'{attempts}{{op="OpenConversation",outcome="reconciled_found"}}'] == 1
    assert found[f'{attempts}{{op="PostMessage",outcome="ok"}}'] == 1
    assert found[f'{attempts}{{op="PostMessage",outcome="dead"}}'] == 1
    assert found['smsfsm_transition_total{from="active",graph="1",to="routed"}'] == 1
    assert found["smsfsm_dead_letters"] == 1
    assert found['smsfsm_last_success_timestamp_seconds{op="PostMessage"}'] > 0
    assert found['smsfsm_log_events_total{event="effect.dead",level="error"}'] == 1


def test_what_waits_is_counted_and_its_age_told(service: Client, world: World) -> None:
    world.text()
    world.clock.forward(seconds=90)
    found = figures(service)
    assert found['smsfsm_queue_depth{queue="effects",state="due"}'] == 1
    assert found['smsfsm_queue_oldest_age_seconds{queue="effects"}'] == 90
    world.engine.drain()
    world.clock.forward(hours=73)
    late = figures(service)["smsfsm_timer_lag_seconds"]
    assert 3000 < late < 4000


def test_carriers_words_and_repetitions_are_counted(service: Client, world: World) -> None:
    message = world.replied(world.opened())
    for _ in range(3):
        world.says(message, "delivered")
    found = figures(service)
    assert found['smsfsm_duplicates_total{kind="callback",profile="unknown"}'] == 2
    assert found['smsfsm_deliveries_total{outcome="delivered",profile="unknown"}'] == 1


def test_tokens_are_counted(
    service: Client, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sms_fsm")
    world.opened()
    found = figures(service)
    assert found['smsfsm_token_refresh_total{result="ok"}'] == 1
    assert found["smsfsm_token_expiry_timestamp_seconds"] > time.time()


def test_a_store_that_is_away_does_not_fail_the_scrape(
    service: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(world.engine.board, "backlog", away)
    answer = service.get("/metrics")
    assert answer.status_code == 200
    assert "smsfsm_store_up 0.0" in answer.text


def test_no_figure_carries_a_number_an_id_or_a_text(service: Client, world: World) -> None:
    for number in range(20):
        customer = f"+1555123{number:04d}"
        world.text("a text that nobody may read", from_=customer, message_id=f"secret-{number}")
    world.engine.drain()
    page = service.get("/metrics").text
    series = [line for line in page.splitlines() if line[0] != "#"]
    assert len(series) < 200
    for secret in (CUSTOMER, BUSINESS, "5551230001", "secret-", "nobody may", "conv-"):
        assert secret not in page
    for conversation in world.engine.conversations():
        assert conversation.id not in page


def test_the_names_are_prometheus_own(service: Client) -> None:
    page = service.get("/metrics")
    assert page.headers["Content-Type"].startswith("text/plain; version=")
    names = set(re.findall(r"^# TYPE (\w+)", page.text, re.MULTILINE))
    assert all(name.startswith("smsfsm_") for name in names)
    assert len(names) >= 14
