"""What a host process loads: no more than taking in and carrying out need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_to_import_the_package_loads_no_service_no_command_line_and_no_keys() -> None:
    assert _loaded("import sms_fsm").isdisjoint(_LEFT_OUT)


@pytest.mark.parametrize("attempt", ["on a new store", "on an existing one"])
def test_the_first_event_asks_no_keyring_and_loads_alembic_only_for_a_new_store(
    tmp_path: Path, attempt: str
) -> None:
    program = _TAKE_IN.format(file=tmp_path / "store.db")
    expected = {"alembic"} if attempt == "on a new store" else set()
    if not expected:
        _loaded(program)

    assert _loaded(program) & {"alembic", "cryptography", "keyring"} == expected
