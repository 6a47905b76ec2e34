"""check, diagram and diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from versions import SENDING, written

from sms_fsm.graph import default_graph_text

from .conftest import Run, Stored

TIMES = "\N{MULTIPLICATION SIGN}"
BROKEN = """\
graph: broken
version: 1
states:
  new: {initial: true}
  lost: {}
events:
  MessageReceived: {kind: fact}
transitions:
  - {id: one, from: new, on: MessageReceived, to: nowhere}
  - {id: two, from: new, on: Unheard, when: [no_such_guard]}
"""


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """The packaged graph, but silence ends after two days."""
    path = tmp_path / "candidate.yaml"
    text = default_graph_text().replace("after: 72h", "after: 48h")
    path.write_text(text.replace("version: 1", "version: 2", 1), encoding="utf-8")
    return path


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    path = tmp_path / "packaged.yaml"
    path.write_text(default_graph_text(), encoding="utf-8")
    return path


def test_the_packaged_graph_is_fine(run: Run) -> None:
    ran = run("check")

    assert (ran.code, ran.out) == (0, "")
    assert "states.yaml: fine" in ran.err


def test_every_problem_is_a_line_with_its_place_and_code(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN)

    ran = run("check", "broken.yaml")

    assert ran.code == 1
    lines = ran.out.splitlines()
    assert len(lines) > 2
    for line in lines:
        file, row, column, rest = line.split(":", 3)
        assert (file, row.isdecimal(), column.isdecimal()) == ("broken.yaml", True, True)
        assert rest.split()[0].startswith("G")


def test_a_script_gets_the_same_problems(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN)

    ran = run("check", "broken.yaml", "--format", "json")

    found = json.loads(ran.out)
    assert ran.code == 1
    assert found["ok"] is False
    told = run("check", "broken.yaml").out.splitlines()
    assert [f"{p['file']}:{p['line']}:{p['column']}: {p['code']} {p['message']}"
            for p in found["problems"]] == told  # fmt: skip


def test_the_setting_names_the_graph_that_is_checked(run: Run, candidate: Path) -> None:
    ran = run("check", SMS_FSM_GRAPH=str(candidate))

    assert "version 2" in ran.err


def test_a_broken_graph_is_not_drawn_but_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN)

    ran = run("diagram", "broken.yaml")

    assert (ran.code, ran.out) == (1, "")
    assert all(line.startswith("broken.yaml:") for line in ran.err.splitlines())


def test_the_name_of_the_file_says_the_format(run: Run, tmp_path: Path) -> None:
    assert run("diagram", "-o", "states.dot").code == 0

    assert (tmp_path / "states.dot").read_text().startswith("digraph")


def test_without_a_file_the_drawing_is_the_output(run: Run) -> None:
    ran = run("diagram")

    assert ran.code == 0
    assert "stateDiagram-v2" in ran.out
    assert ran.err == ""


def test_a_picture_is_bytes(run: Run, tmp_path: Path) -> None:
    run("diagram", "-o", "states.png")

    assert (tmp_path / "states.png").read_bytes().startswith(b"\x89PNG")


def test_the_path_of_a_conversation_is_lit(run: Run, stored: Stored) -> None:
    ran = run("diagram", "--conversation", stored.first, "--database-url", stored.url)

    assert ran.code == 0
    assert "The path of one conversation" in ran.out
    assert ran.out != run("diagram").out


def test_a_log_paints_what_ran_and_what_never_did(run: Run, stored: Stored) -> None:
    run("export", "-o", "log.jsonl", "--database-url", stored.url)

    ran = run("diagram", "--log", "log.jsonl")

    assert ran.code == 0
    assert f"{TIMES} 1" in ran.out
    assert f"{TIMES} 1" not in run("diagram").out


def test_a_log_that_was_touched_is_not_painted(run: Run, stored: Stored, tmp_path: Path) -> None:
    run("export", "-o", "log.jsonl", "--database-url", stored.url)
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text().replace('"target":"active"', '"target":"routed"', 1))

    ran = run("diagram", "--log", "log.jsonl")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("sms-fsm: line ")


def test_equal_graphs_have_no_difference(run: Run, packaged: Path) -> None:
    ran = run("diff", packaged, packaged)

    assert (ran.code, ran.out) == (0, "")
    assert "decide the same" in ran.err


def test_a_difference_says_how_many_conversations_it_touches(
    run: Run, packaged: Path, candidate: Path, stored: Stored
) -> None:
    arguments = (packaged, candidate, "--database-url", stored.url, "--format", "json")

    (change,) = json.loads(run("diff", *arguments).out)

    assert change["item"]["name"] == "IdleElapsed"
    assert (change["before"], change["after"]) == ("3d", "2d")
    assert change["conversations"] == 1  # the timer does not run in `new`


def test_a_state_that_came_is_one_line_and_its_rules_a_number(
    run: Run, packaged: Path, tmp_path: Path
) -> None:
    sending = written(tmp_path, SENDING)

    told = run("diff", packaged, sending)
    listed = json.loads(run("diff", packaged, sending, "--format", "json").out)

    rules = [change for change in listed if change["item"]["source"] == "sending"]
    assert f"{len(rules)} rules" in told.out
    assert told.out.count("sending") == 2  # the state, and the timer that runs in it
    assert "conversations on version 1 can migrate to version 2" in told.err


def test_a_difference_says_why_nobody_could_migrate(
    run: Run, packaged: Path, candidate: Path
) -> None:
    ran = run("diff", packaged, candidate)

    assert "G401 there is no migration from version 1" in ran.err


def test_what_changed_is_painted(run: Run, packaged: Path, tmp_path: Path) -> None:
    sending = written(tmp_path, SENDING)

    ran = run("diagram", sending, "--diff", packaged)

    assert ran.code == 0
    assert "Version 1 to 2" in ran.out
    assert "Version 1 to 2" not in run("diagram", sending).out


def test_one_thing_at_a_time_is_painted(run: Run, packaged: Path) -> None:
    ran = run("diagram", "--diff", packaged, "--log", "log.jsonl")

    assert ran.code == 1
    assert "choose one of them" in ran.err


def test_without_a_store_a_difference_counts_nobody(
    run: Run, packaged: Path, candidate: Path
) -> None:
    ran = run("diff", packaged, candidate)

    assert "IdleElapsed" in ran.out
    assert "conversations" not in ran.out
