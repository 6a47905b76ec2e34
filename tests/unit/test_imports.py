"""What a host process loads: no more than taking in and carrying out need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sms_fsm

_LEFT_OUT = (
    "alembic",
    "cryptography",
    "fastapi",
    "jinja2",
    "keyring",
    "pydantic_settings",
    "sms_fsm.cli",
    "sms_fsm.replay",
    "sms_fsm.simulator",
    "sms_fsm.testing",
    "sms_fsm.web",
    "typer",
)

_ENGINE_S = ("pydantic", "requests", "sms_fsm.cxone", "sms_fsm.store", "sqlalchemy", "sqlmodel")

_TAKE_IN = """
from sms_fsm import Engine, InboundMessage, Settings

settings = Settings(
    database_url="sqlite:///{file}",
    cxone_url="https://cxone.invalid",
    client_id="client-1",
    client_secret="canary",
    queue_id="queue-1",
)
text = InboundMessage(message_id="m-1", from_="+15551234567", to="+18885550100", text="hi")
with Engine.from_settings(settings) as engine:
    engine.receive(text)
"""


def _loaded(program: str) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(told.stdout.split())


def test_to_import_the_engine_loads_no_service_no_command_line_and_no_keys() -> None:
    assert _loaded("from sms_fsm import Engine, Settings").isdisjoint(_LEFT_OUT)


@pytest.mark.parametrize("use", ["sms_fsm", "sms_fsm.graph", "sms_fsm.diagram", "sms_fsm.replay"])
def test_checks_pictures_and_replay_load_no_database_and_no_http(use: str) -> None:
    assert _loaded(f"import {use}").isdisjoint(_ENGINE_S)


def test_what_is_imported_when_asked_for_is_there_like_the_rest() -> None:
    for name in sms_fsm.__all__:
        assert getattr(sms_fsm, name).__name__ == name
    with pytest.raises(AttributeError, match="Enigne"):
        _ = sms_fsm.Enigne  # type: ignore[attr-defined]  # it is not there


@pytest.mark.parametrize("attempt", ["on a new store", "on an existing one"])
def test_the_first_event_asks_no_keyring_and_loads_alembic_only_for_a_new_store(
    tmp_path: Path, attempt: str
) -> None:
    program = _TAKE_IN.format(file=tmp_path / "store.db")
    expected = {"alembic"} if attempt == "on a new store" else set()
    if not expected:
        _loaded(program)

    assert _loaded(program) & {"alembic", "cryptography", "keyring"} == expected
