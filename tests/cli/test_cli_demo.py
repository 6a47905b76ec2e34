"""demo: it holds, it says so, and it notices when it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sms_fsm.cli.demo import command, guarantees, scenes_trouble
from sms_fsm.cli.demo.scene import Claim, Scene, Telling
from sms_fsm.cli.demo.stage import BUSINESS, CUSTOMER, Stage
from sms_fsm.cli.demo.story import STORY
from sms_fsm.diagram import DiagramError, render
from sms_fsm.errors import StoreUnavailable
from sms_fsm.replay import verify
from sms_fsm.simulator import Fault, Simulator, Verdict

from .conftest import Ran, Run, digits_of

WITHOUT_CRASH = tuple(s for s in STORY if s.play is not scenes_trouble.worker_killed)
"""What most tests play: the killed worker takes seconds of real time."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STORY", WITHOUT_CRASH)


def test_all_of_it_holds(run: Run, tmp_path: Path) -> None:
    ran = run("demo")

    assert (ran.code, ran.err) == (0, "")
    assert "guarantees held" in ran.out
    assert "✗" not in ran.out
    made = {file.name for file in (tmp_path / "demo-output").iterdir()}
    assert made == {".sms-fsm-demo", "demo.db", "log.jsonl", "path.png", "path.svg"}


@pytest.mark.usefixtures("quick")
def test_every_scene_and_guarantee_is_one_checked_line(run: Run) -> None:
    lines = run("demo").out.splitlines()

    for number, scene in enumerate(WITHOUT_CRASH, 1):
        assert any(line.strip().startswith(f"{number} ✓ {scene.title}") for line in lines)
    assert any(line.split()[:3] == ["✓", "nothing", "lost"] for line in lines)


@pytest.mark.usefixtures("quick")
def test_what_it_leaves_can_be_looked_at(run: Run) -> None:
    ran = run("demo", "--output", "out")

    store = ("--database-url", "sqlite:///out/demo.db")
    assert run("replay", "out/log.jsonl").code == 0
    listed = run("list", *store).out.splitlines()
    assert [row.split()[1] for row in listed[1:]] == ["delivered", "archived"]
    told = run("show", listed[1].split()[0], *store).out
    assert told in ran.out


@pytest.mark.usefixtures("quick")
def test_no_number_is_shown(run: Run) -> None:
    told = run("demo").out

    assert digits_of(CUSTOMER) not in told
    assert digits_of(BUSINESS) not in told


@pytest.mark.usefixtures("quick")
def test_it_replaces_what_it_made_and_nothing_else(run: Run, tmp_path: Path) -> None:
    run("demo", "--output", "out")
    mine = tmp_path / "out" / "mine.txt"
    mine.write_text("mine")
    first = (tmp_path / "out" / "log.jsonl").read_text()

    assert run("demo", "--output", "out").code == 0

    assert mine.read_text() == "mine"
    assert (tmp_path / "out" / "log.jsonl").read_text() != first


def test_it_leaves_a_file_alone_that_it_did_not_make(run: Run, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("mine")

    ran = run("demo", "--output", tmp_path)

    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert (tmp_path / "log.jsonl").read_text() == "mine"
    assert not (tmp_path / "demo.db").exists()


@pytest.mark.usefixtures("quick")
def test_without_the_extra_the_picture_is_mermaid(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_pictures(*arguments: object, **options: object) -> str | bytes:
        if arguments[1] in ("svg", "png"):
            raise DiagramError("the extra is missing")
        return render(*arguments, **options)  # type: ignore[arg-type]  # handed on as they come

    monkeypatch.setattr(command, "render", without_pictures)

    assert run("demo").code == 0
    assert "stateDiagram" in (tmp_path / "demo-output" / "path.mmd").read_text()


# What it says when something does not hold


def broken(ran: Ran) -> str:
    """What a failed demo says did not hold."""
    assert ran.code == 1
    assert "guarantees held" not in ran.out
    assert "✗" in ran.out
    assert all(line.startswith("did not hold: ") for line in ran.err.splitlines())
    return ran.err


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("verdict", "promise"),
    [
        (Verdict(lost=("x",)), "nothing lost"),
        (Verdict(duplicate=("x",)), "nothing twice"),
        (Verdict(unexpected=("x",)), "nothing twice"),
        (Verdict(out_of_order=("x",)), "in order"),
        (Verdict(violations=("postMessage: truncated",)), "CXone's rules kept"),
    ],
)
def test_what_the_simulator_finds_wrong_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, promise: str
) -> None:
    monkeypatch.setattr(Simulator, "judge", lambda *_: verdict)

    said = broken(run("demo"))

    assert said.startswith(f"did not hold: {promise}: ")
    assert len(said.splitlines()) == 1


def told_so(claim: str) -> Callable[[Stage], Telling]:
    def play(stage: Stage) -> Telling:
        yield Claim(claim, stage.state == "nowhere")

    return play


def test_a_claim_that_is_not_so_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("Pigs fly", told_so("they land"))
    monkeypatch.setattr(command, "STORY", (*WITHOUT_CRASH, scene))

    assert broken(run("demo")) == "did not hold: Pigs fly: they land\n"


def test_an_error_of_the_engine_does_not_end_the_demo(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(stage: Stage) -> Telling:
        yield Claim("so far so good", stage.state != "nowhere")
        raise StoreUnavailable("the store is gone")

    monkeypatch.setattr(command, "STORY", (*WITHOUT_CRASH, Scene("Disks fail", play)))

    assert "Disks fail: " in (said := broken(run("demo")))
    assert "StoreUnavailable: the store is gone" in said


def test_a_state_that_was_never_seen_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STORY", WITHOUT_CRASH[:8])

    said = broken(run("demo"))

    assert "every state visited: never seen: archived, reactivated" in said


@pytest.mark.usefixtures("quick")
def test_a_text_that_was_sent_behind_its_back_is_noticed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform's records are compared with what the story asked for, not with the engine's."""
    real = Stage.reply

    def forgetful(stage: Stage, text: str, **options: object) -> str:
        key = real(stage, text, **options)  # type: ignore[arg-type]  # handed on as they come
        stage.said[text] -= 1
        return key

    monkeypatch.setattr(Stage, "reply", forgetful)

    assert "nothing twice" in broken(run("demo"))


@pytest.mark.usefixtures("quick")
def test_an_answer_that_was_not_lost_is_noticed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        scenes_trouble, "Fault", lambda *_, **__: Fault("listMessages", "reset", times=1)
    )

    assert "neither done nor failed: looked up" in broken(run("demo"))


@pytest.mark.usefixtures("quick")
def test_a_log_that_was_touched_is_noticed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarantees, "verify", lambda lines: replace(verify(lines), faults=1))

    assert "the log replays" in broken(run("demo"))
