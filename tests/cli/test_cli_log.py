"""export, replay and rebuild."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sms_fsm.graph import default_graph_text

from .conftest import Run, Stored


@pytest.fixture
def log(run: Run, stored: Stored, tmp_path: Path) -> Path:
    """An exported log of the two conversations."""
    path = tmp_path / "log.jsonl"
    assert run("export", "-o", path, "--database-url", stored.url).code == 0
    return path


def test_a_file_and_the_output_get_the_same_log(run: Run, stored: Stored, log: Path) -> None:
    ran = run("export", "--database-url", stored.url)

    assert ran.out == log.read_text()
    assert ran.err == ""


def test_one_conversation_can_be_exported_alone(run: Run, stored: Stored) -> None:
    ran = run("export", "--conversation", stored.second, "--database-url", stored.url)

    records = [json.loads(line) for line in ran.out.splitlines()]
    assert {record.get("conversation", stored.second) for record in records} == {stored.second}


def test_a_log_as_it_was_exported_comes_out_the_same(run: Run, log: Path) -> None:
    ran = run("replay", log)

    assert ran.code == 0
    assert "conversations: same 2" in ran.out


def test_a_log_that_was_touched_is_told_by_line(run: Run, log: Path) -> None:
    log.write_text(log.read_text().replace('"source":"new"', '"source":"old"', 1))

    ran = run("replay", log)

    assert ran.code == 1
    assert f"{log}:2: altered" in ran.out


def test_a_candidate_that_decides_otherwise_is_told_by_its_yaml_line(
    run: Run, log: Path, tmp_path: Path
) -> None:
    document = default_graph_text()
    rule = "    on: RoutingUpdated\n    to: routed\n"
    assert document.count(rule) == 1
    (tmp_path / "candidate.yaml").write_text(
        document.replace(rule, "    on: RoutingUpdated\n"), encoding="utf-8"
    )

    ran = run("replay", log, "--graph", "candidate.yaml")

    assert ran.code == 1
    assert "recorded routed, now active" in ran.out
    assert "candidate.yaml:" in ran.out


def test_a_script_gets_buckets_and_divergences(run: Run, log: Path) -> None:
    found = json.loads(run("replay", log, "--format", "json").out)

    assert found["clean"] is True
    assert found["conversations"]["same"] == 2
    assert found["judged"] == found["events"] > 0
    assert "coverage" not in found


def test_coverage_names_what_never_ran(run: Run, log: Path) -> None:
    told = run("replay", log, "--coverage").out
    found = json.loads(run("replay", log, "--coverage", "--format", "json").out)

    assert "state never entered: archived" in told
    assert "rule never taken: idle on IdleElapsed" in told
    assert "archived" in found["coverage"][0]["states"]


def test_a_conversation_that_was_left_out_whole_is_missed(
    run: Run, log: Path, tmp_path: Path
) -> None:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    first = json.loads(next(line for line in lines if '"seq":' in line))["conversation"]
    kept = [line for line in lines if f'"conversation":"{first}"' not in line]
    (tmp_path / "kept.jsonl").write_text("".join(kept), encoding="utf-8")

    ran = run("replay", "kept.jsonl")

    assert ran.code == 1
    assert f"kept.jsonl:{len(kept)}: left-out conversation 2 of the log ends here" in ran.out


def test_an_older_log_is_verified_and_said_to_be_such(run: Run, log: Path, tmp_path: Path) -> None:
    numbered = log.read_text(encoding="utf-8")
    older = re.sub(r'"last":\d+(,"of":\d+)?', '"last":true', numbered)
    (tmp_path / "older.jsonl").write_text(older, encoding="utf-8")

    ran = run("replay", "older.jsonl")

    assert ran.code == 0
    assert "an older export that does not number its conversations" in ran.out
    assert json.loads(run("replay", "older.jsonl", "--format", "json").out)["numbered"] is False


def test_an_empty_log_is_no_good_log(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()

    ran = run("replay", "empty.jsonl")

    assert ran.code == 1
    assert "empty.jsonl:1: empty" in ran.out


def test_a_store_is_what_its_log_says(run: Run, stored: Stored) -> None:
    ran = run("rebuild", "--database-url", stored.url)
    found = json.loads(run("rebuild", "--format", "json", "--database-url", stored.url).out)

    assert ran.code == 0
    assert "the store is what its log says" in ran.out
    assert (found["clean"], found["conversations"]) == (True, 2)


def test_a_state_that_was_changed_behind_the_log_is_named(
    run: Run, stored: Stored, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(stored.url.removeprefix("sqlite:///"))) as original:
        original.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy)) as changed:
        changed.execute("UPDATE conversation SET state = 'failed' WHERE id = ?", (stored.first,))
        changed.commit()

    ran = run("rebuild", "--database-url", f"sqlite:///{copy}")

    assert ran.code == 1
    assert f"{stored.first}: state is failed, the log gives delivered" in ran.out
