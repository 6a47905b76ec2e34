"""Real processes: signals, pipes, log lines, narrow terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from world import BUSINESS, CUSTOMER, QUEUE

from sms_fsm import Engine, InboundMessage, Settings
from sms_fsm.simulator import Fault, Simulator

from .conftest import Stored, digits_of

COMMAND = (sys.executable, "-m", "sms_fsm")
SOURCE = Path(__file__).parents[2]
WITHIN_SECONDS = 30


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), **variables}


def ran(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=WITHIN_SECONDS,
        check=False,
    )


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A command in the background; killed in the end if it is still there."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[tuple[Settings, Simulator]]:
    """A store, a simulator on the real clock and settings of both."""
    simulator = Simulator()
    with simulator.serve() as url:
        yield (
            Settings(
                database_url=f"sqlite:///{tmp_path}/store.db",
                cxone_url=url,
                client_id="demo-client",
                client_secret="demo-secret",
                queue_id=QUEUE,
            ),
            simulator,
        )


def variables_of(settings: Settings) -> dict[str, str]:
    return {
        "SMS_FSM_DATABASE_URL": settings.database_url.replace("+pysqlite", ""),
        "SMS_FSM_CXONE_URL": str(settings.cxone_url),
        "SMS_FSM_CLIENT_ID": str(settings.client_id),
        "SMS_FSM_CLIENT_SECRET": "demo-secret",
        "SMS_FSM_QUEUE_ID": str(settings.queue_id),
    }


def take_in(settings: Settings) -> None:
    with Engine.from_settings(settings) as engine:
        engine.receive(InboundMessage("in-1", from_=CUSTOMER, to=BUSINESS, text="hi"))


def awaited(simulator: Simulator, operation: str) -> None:
    """Until CXone was called like this."""
    ends = time.monotonic() + WITHIN_SECONDS
    while not simulator.count(operation):
        assert time.monotonic() < ends, simulator.requests
        time.sleep(0.02)


def test_the_module_is_the_command() -> None:
    done = ran("check")

    assert (done.returncode, done.stdout) == (0, "")


def test_an_error_has_no_traceback() -> None:
    done = ran("list", "--database-url", "nonsense")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_reader_that_hangs_up_early_is_no_trouble() -> None:
    with running("diagram", "--format", "json") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(WITHIN_SECONDS)
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_encoding_without_our_signs_is_no_trouble(stored: Stored) -> None:
    done = ran("list", "--database-url", stored.url, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0
    assert stored.first in done.stdout


def test_a_narrow_terminal_shows_whole_ids(stored: Stored) -> None:
    done = ran("list", "--database-url", stored.url, COLUMNS="80")

    assert done.returncode == 0
    assert stored.first in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_dotenv_file_is_read_but_arguments_rule(stored: Stored, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMS_FSM_DATABASE_URL=sqlite:///elsewhere.db\n")

    assert "elsewhere.db" in ran("list").stderr
    assert ran("list", "--database-url", stored.url).returncode == 0


def test_several_processes_replay_to_the_same_report(stored: Stored, tmp_path: Path) -> None:
    log = str(tmp_path / "log.jsonl")
    assert ran("export", "-o", log, "--database-url", stored.url).returncode == 0

    alone, together = (
        ran("replay", log, "--coverage", "--format", "json", "--jobs", jobs) for jobs in ("1", "2")
    )

    assert (alone.returncode, alone.stderr) == (together.returncode, together.stderr) == (0, "")
    assert alone.stdout == together.stdout


def test_a_worker_carries_out_what_is_due_and_stops_cleanly(
    settings: tuple[Settings, Simulator],
) -> None:
    take_in(settings[0])

    with running("work", "--poll-interval", "0.05", **variables_of(settings[0])) as worker:
        awaited(settings[1], "updateRouting")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=WITHIN_SECONDS)

    assert (worker.returncode, out) == (0, "")
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines if line["event"].startswith("worker")] == [
        "worker.started",
        "worker.stopped",
    ]
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
    assert digits_of(CUSTOMER) not in err


def test_a_worker_finishes_what_it_holds_before_it_stops(
    settings: tuple[Settings, Simulator],
) -> None:
    take_in(settings[0])
    settings[1].fault(Fault("createConversation", "hang", seconds=1.0))

    with running("work", "--poll-interval", "0.05", **variables_of(settings[0])) as worker:
        awaited(settings[1], "createConversation")
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate(timeout=WITHIN_SECONDS)

    assert worker.returncode == 0
    with Engine.from_settings(settings[0]) as engine:
        (conversation,) = engine.conversations()
        names = [event.name for event in engine.history(conversation.id)]
    assert {"AnswerLost", "ConversationOpened"} & set(names), (names, err)


def test_a_second_signal_ends_a_worker_at_once(settings: tuple[Settings, Simulator]) -> None:
    take_in(settings[0])
    settings[1].fault(Fault("createConversation", "hang"))

    with running("work", "--poll-interval", "0.05", **variables_of(settings[0])) as worker:
        awaited(settings[1], "createConversation")
        worker.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=WITHIN_SECONDS)

    assert worker.returncode == 128 + signal.SIGTERM


def test_the_simulator_serves_until_a_signal_comes(tmp_path: Path) -> None:
    arguments = ("simulator", "--port", "0", "--ledger", str(tmp_path / "ledger.jsonl"))

    with running(*arguments, "--fault", "findConversations:status,times=2") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip().removeprefix("SMS_FSM_CXONE_URL=")
        settings = Settings(
            database_url=f"sqlite:///{tmp_path}/store.db",
            cxone_url=url,
            client_id="demo-client",
            client_secret="demo-secret",
            queue_id=QUEUE,
        )
        take_in(settings)
        with Engine.from_settings(settings) as engine:
            engine.drain()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN_SECONDS)

    assert process.returncode == 0
    ledger = (tmp_path / "ledger.jsonl").read_text()
    assert "findConversations" in ledger
    assert '"fault":"status"' in ledger


def test_the_demo_holds_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = ran("demo", "--output", str(tmp_path / "out"), TERM="dumb", COLUMNS="80")

    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
