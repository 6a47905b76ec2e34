"""What the service logs: one JSON object a line, no text, no number, no secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from world import World

from sms_fsm import FailedMessage
from sms_fsm.cli.log_lines import json_log_lines
from sms_fsm.simulator import Fault
from sms_fsm.web import create_app

from .operators import Operator
from .serving import SECRET, TOKEN, Client, serving, status, text

CANARY_TEXT = 'canary body\n{"event": "forged"}\r\x1b[2J\u2028'
CANARY_NUMBER = "+15557418529"
NATIONAL = "5557418529"
CANARIES = ("canary", "forged", NATIONAL, "555 741", TOKEN, SECRET, "demo-secret")


@pytest.fixture
def noisy(make_world: Callable[..., World]) -> World:
    """A world whose host tells texts and numbers in its exceptions."""

    def fallback(failed: FailedMessage) -> None:
        raise ValueError(f"cannot send {failed.text} to {failed.customer}")

    def carrier_lookup(address: str) -> str:
        raise LookupError(f"no carrier for {address}")

    return make_world(
        webhook_secret=SECRET, api_token=TOKEN, fallback=fallback, carrier_lookup=carrier_lookup
    )


@pytest.fixture
def service(noisy: World) -> Iterator[Client]:
    with serving(create_app(noisy.engine, noisy.settings, worker=False)) as client:
        yield client


def _go_through_everything(service: Client, world: World) -> None:
    """Texts, failures, the other channel, searches and refusals, all with canaries."""
    sent = service.send(text("m-1", CANARY_TEXT, **{"from": CANARY_NUMBER}))
    identity = sent.json()["results"][0]["conversation"]
    world.engine.drain()
    message = world.replied(identity, CANARY_TEXT.replace("\x1b", ""))
    remote = str(world.conversation(identity).conversation_id)
    service.send(status(message.message_ids[0], remote, "failed", error_code="30006"))
    world.simulator.fault(Fault("postMessage", kind="status", status=400, times=1))
    world.replied(identity, "another canary")
    for _ in range(3):
        world.clock.forward(seconds=120)
        world.engine.drain()
    service.send(text("m-2", **{"from": f"{CANARY_NUMBER}x", "name": CANARY_TEXT}))
    service.send(text(CANARY_TEXT))
    service.send({"type": CANARY_TEXT})
    service.call("POST", f"/conversations/{CANARY_NUMBER}/messages", {"text": CANARY_TEXT})
    service.call("GET", f"/conversations?state={CANARY_TEXT}", token=CANARY_TEXT[:6])
    operator = Operator(service)
    operator.log_in(token="canary token")
    operator.log_in()
    operator.post("/search", wanted=CANARY_NUMBER)
    (dead,) = (e for e in world.engine.dead_letters() if e.name == "PostMessage")
    operator.post("/retry", effect=dead.id, reason="again")


def test_nothing_of_a_customer_and_no_secret_gets_into_the_log(
    service: Client, noisy: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with json_log_lines():
        logging.getLogger("sms_fsm").setLevel(logging.DEBUG)
        _go_through_everything(service, noisy)
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.err.splitlines()]
    names = {line["event"] for line in lines}
    assert {"webhook.malformed", "effect.dead", "operator.refused", "operator.retried"} <= names
    assert "carrier.look_up_failed" in names
    for canary in CANARIES:
        assert canary not in said.err, canary
        assert canary not in said.out, canary


@pytest.mark.parametrize(
    "written", [CANARY_NUMBER, "+1 555 741 8529", "+1 (555) 741-8529", "%2B15557418529"]
)
def test_a_number_that_a_library_logs_is_masked(
    capsys: pytest.CaptureFixture[str], written: str
) -> None:
    with json_log_lines():
        logging.getLogger("somebody").warning("GET /api?address=%s failed", written)
        logging.getLogger("somebody").error("no %s", written, extra={"about": written})
    said = capsys.readouterr().err
    assert "741" not in said
    assert all("failed" in line or "no " in line for line in said.splitlines())


def _break() -> None:
    try:
        int(CANARY_TEXT)
    except ValueError as error:
        raise RuntimeError(CANARY_NUMBER) from error


def test_an_exception_is_told_by_kind_and_place_without_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with json_log_lines():
        try:
            _break()
        except RuntimeError:
            logging.getLogger("sms_fsm.test").exception("it.broke")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)["exception"]
    assert "RuntimeError" in told
    assert "ValueError" in told
    assert "test_logs.py" in told
    assert "canary" not in told
    assert NATIONAL not in told


def test_ids_and_times_are_not_taken_for_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    identity = "c019600001234567890123"
    with json_log_lines():
        logging.getLogger("sms_fsm.test").warning("effect.dead", extra={"effect": identity})
    line = json.loads(capsys.readouterr().err)
    assert line["effect"] == identity
    assert line["timestamp"].endswith("Z")
