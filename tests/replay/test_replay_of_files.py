"""Files are replayed by one process or by several, with the same report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_logs import made_log

from sms_fsm.graph import default_graph_text, load_graph_text
from sms_fsm.registry import Registry
from sms_fsm.replay import ReplayReport, parts, verify, verify_file

LOG = tuple(made_log(40, 9, seed=8))

Edit = Callable[[list[str]], object]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", sum(map(len, LOG)) // 5)


def written(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_one_process_reads_a_file_as_it_reads_lines(tmp_path: Path) -> None:
    assert verify_file(written(tmp_path, list(LOG))) == verify(LOG)


@pytest.mark.parametrize(
    "edit",
    [
        lambda _: None,
        lambda lines: lines.pop(5),
        lambda lines: lines.pop(330),
        lambda lines: lines.pop(),
        lambda lines: lines.insert(200, "garbage"),
        lambda lines: lines.insert(150, lines[300]),
        lambda lines: lines.__setitem__(9, lines[9].replace(',"last":1', "")),
        lambda lines: lines.__delitem__(slice(91, 100)),
        lambda lines: lines.__delitem__(slice(10, 28)),
        lambda lines: lines.__delitem__(slice(352, 361)),
        lambda lines: lines.extend(lines[1:]),
        lambda lines: lines.__setitem__(18, lines[18].replace('"last":2', '"last":true')),
        lambda lines: lines.__setitem__(0, lines[0].replace("version: 1", "version: 3")),
        lambda lines: lines.clear(),
    ],
)
@pytest.mark.usefixtures("small_parts")
def test_several_processes_give_the_same_report(tmp_path: Path, edit: Edit) -> None:
    lines = list(LOG)
    edit(lines)
    assert verify_file(written(tmp_path, lines), jobs=3) == verify(lines)


@pytest.mark.usefixtures("small_parts")
def test_several_processes_replay_on_a_candidate_too(tmp_path: Path) -> None:
    text = default_graph_text().replace("[60s, 300s, 900s]", "[30s]")
    graph = load_graph_text(text, Registry().names, "candidate.yaml")
    report = verify_file(written(tmp_path, list(LOG)), graph=graph, jobs=2)
    assert report == verify(LOG, graph=graph)
    assert report.divergences != ()


@pytest.mark.usefixtures("small_parts")
def test_progress_is_told_by_parts(tmp_path: Path) -> None:
    heard: list[int] = []
    verify_file(written(tmp_path, list(LOG)), jobs=2, on_progress=heard.append)
    assert len(heard) > 2
    assert heard == sorted(heard)
    assert heard[-1] == len(LOG) - 1


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_small_log_needs_one_process_only(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ProcessPoolExecutor", None)
    report: ReplayReport = verify_file(written(tmp_path, list(LOG)), jobs=jobs)
    assert report.clean


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(FileNotFoundError):
        verify_file(tmp_path / "nothing", jobs=jobs)


def nothing(*_: object) -> None:
    """A host's effect."""


@pytest.mark.usefixtures("small_parts")
def test_a_hosts_names_go_along_to_other_processes(tmp_path: Path) -> None:
    registry = Registry()
    registry.effect("TellHost", nothing)
    text = default_graph_text().replace(
        "    on: TransferRequested\n    do: [update_routing]\n  - id: taken\n",
        "    on: TransferRequested\n    do: [update_routing, TellHost]\n  - id: taken\n",
    )
    text = text.replace("effects:\n", "effects:\n  TellHost: {retry_for: 1h, on_failure: hold}\n")
    graph = load_graph_text(text, registry.names)
    report = verify_file(written(tmp_path, list(LOG)), graph=graph, registry=registry, jobs=2)
    assert report.added["TellHost"] > 0
    assert report == verify(LOG, graph=graph, registry=registry)
