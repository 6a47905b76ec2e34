"""doctor: what is wrong, and how it is mended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from postgres import PostgresServer
from world import World

from sms_fsm.graph import default_graph_text
from sms_fsm.simulator import Fault, Simulator

from .conftest import Run

KEY = Fernet.generate_key().decode()
SECRET = "whsec_bm90IGEgcmVhbCBzZWNyZXQ="


@pytest.fixture
def healthy(run: Run, platform: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A setting in which the doctor has nothing to say."""
    monkeypatch.setenv("SMS_FSM_TOKEN_KEY", KEY)
    monkeypatch.setenv("SMS_FSM_WEBHOOK_SECRET", SECRET)
    assert run("db", "upgrade").code == 0
    return platform


def examined(run: Run, *arguments: object, code: int = 0, **environment: str) -> dict[str, Any]:
    """The finding of each subject; of several the worst."""
    ran = run("doctor", "--format", "json", *arguments, **environment)
    assert ran.code == code, ran.out
    grades = ["ok", "warning", "wrong"]
    findings = sorted(json.loads(ran.out), key=lambda finding: grades.index(finding["grade"]))
    return {finding["subject"]: finding for finding in findings}


def test_all_is_well(run: Run, healthy: Simulator) -> None:
    found = examined(run)

    assert {finding["grade"] for finding in found.values()} == {"ok"}
    assert all(finding["mend"] == "" for finding in found.values())


def test_people_get_a_line_for_each_scope(run: Run, healthy: Simulator) -> None:
    ran = run("doctor")

    assert ran.code == 0
    assert sum("scope" in line for line in ran.out.splitlines()) == 7
    assert "0 wrong" in ran.out


def test_everything_missing_is_named_with_its_variable(run: Run) -> None:
    ran = run("doctor")

    assert ran.code == 1
    for name in ("CXONE_URL", "CLIENT_ID", "CLIENT_SECRET", "QUEUE_ID"):
        assert f"SMS_FSM_{name}" in ran.out
    assert "sms-fsm db upgrade" in ran.out


def test_nothing_is_created_by_looking(run: Run, tmp_path: Path) -> None:
    run("doctor")

    assert list(tmp_path.iterdir()) == []


def test_a_malformed_setting_is_wrong_and_not_repeated(run: Run) -> None:
    ran = run("doctor", SMS_FSM_WEBHOOK_SECRET="canary!")

    assert ran.code == 1
    assert "webhook_secret" in ran.out
    assert "canary" not in ran.out + ran.err


def test_a_missing_scope_is_wrong(run: Run, healthy: Simulator) -> None:
    limited = Simulator(scopes={"conversations.read", "messages.write"})
    with limited.serve() as url:
        found = examined(run, "--cxone-url", url, code=1)

    assert found["credentials"]["grade"] == "ok"
    assert found["scope"]["grade"] == "wrong"


def test_a_wrong_secret_is_told_from_a_platform_that_is_away(run: Run, healthy: Simulator) -> None:
    refused = examined(run, code=1, SMS_FSM_CLIENT_SECRET="other")["credentials"]
    healthy.fault(Fault("issueToken", "status"))
    away = examined(run, code=1)["credentials"]

    assert "SMS_FSM_CLIENT_SECRET" in refused["mend"]
    assert "SMS_FSM_CXONE_URL" in away["mend"]


def test_tokens_without_a_key_stay_in_memory(
    run: Run, healthy: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMS_FSM_TOKEN_KEY")
    monkeypatch.setattr("keyring.get_password", lambda *_: None)

    token = examined(run)["token"]

    assert token["grade"] == "warning"
    assert "memory" in token["said"]


def test_unsigned_callbacks_are_a_warning(
    run: Run, healthy: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMS_FSM_WEBHOOK_SECRET")

    assert examined(run)["webhook secret"]["grade"] == "warning"


@pytest.mark.parametrize(("lease", "grade"), [("10", "wrong"), ("20", "warning"), ("30", "ok")])
def test_a_lease_must_outlive_the_calls_of_an_effect(
    run: Run, healthy: Simulator, lease: str, grade: str
) -> None:
    found = examined(run, code=grade == "wrong", SMS_FSM_LEASE_SECONDS=lease)

    assert found["lease"]["grade"] == grade


def test_an_unencrypted_platform_is_a_warning(run: Run, healthy: Simulator) -> None:
    arguments = ("--cxone-url", "http://cxone.invalid")

    assert examined(run, *arguments, code=1)["settings"]["grade"] == "warning"


def test_a_broken_graph_is_wrong(run: Run, healthy: Simulator, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("graph: x\n")

    assert examined(run, "--graph", "broken.yaml", code=1)["graph"]["grade"] == "wrong"


def test_a_version_that_was_used_for_something_else_is_wrong(
    run: Run, healthy: Simulator, make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world()
    changed = default_graph_text().replace("after: 72h", "after: 48h")
    (tmp_path / "changed.yaml").write_text(changed, encoding="utf-8")
    url = world.settings.database_url

    same = examined(run, "--database-url", url)["graph version"]
    other = examined(run, "--database-url", url, "--graph", "changed.yaml", code=1)["graph version"]

    assert (same["grade"], other["grade"]) == ("ok", "wrong")
    assert "raise `version`" in other["mend"]


def test_silent_carriers_and_dead_letters_are_warnings(
    run: Run, healthy: Simulator, make_world: Callable[..., World]
) -> None:
    world = make_world()
    conversation = world.opened()
    world.replied(conversation, key="unheard")
    healthy.fault(Fault("postMessage", "status", status=400, code="invalid_request"))
    world.replied(conversation, key="dead")

    found = examined(run, "--database-url", world.settings.database_url)

    assert found["delivery"]["grade"] == found["dead letters"]["grade"] == "warning"
    assert f"unheard of {conversation} (accepted" in found["delivery"]["said"]
    assert "dead of" not in found["delivery"]["said"]


def test_a_settled_text_is_not_silent(
    run: Run, healthy: Simulator, make_world: Callable[..., World]
) -> None:
    world = make_world()
    world.says(world.replied(world.opened()), "delivered")

    assert examined(run, "--database-url", world.settings.database_url)["delivery"]["grade"] == "ok"


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_postgres_that_may_lose_commits_is_wrong(
    run: Run, healthy: Simulator, postgres_server: PostgresServer, setting: str
) -> None:
    with postgres_server.database() as url:
        assert run("db", "upgrade", "--database-url", url).code == 0
        separator = "&" if "?" in url else "?"
        careless = f"{url}{separator}options=-c%20{setting}%3Doff"
        found = json.loads(run("doctor", "--format", "json", "--database-url", careless).out)

    said = [f["said"] for f in found if f["subject"] == "durability" and f["grade"] == "wrong"]
    assert any(setting in one for one in said), found
