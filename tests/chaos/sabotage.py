"""What befalls a process at one failpoint: its end, an exception, a pause, or its store is gone."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from sms_fsm.failpoints import Listener

from .site import Site

GONE_SECONDS = 0.4
"""How long a store stays away."""
KILLED = "killed"
"""A file in the site's folder: a process of it was killed by sabotage."""


@dataclass(frozen=True, slots=True)
class Place:
    """The ``nth`` time that a process passes a failpoint with this subject."""

    point: str
    subject: str
    nth: int


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One act at one place, or so many ``seconds`` after it.

    ``server`` is the URL of the Postgres server, where there is one.
    """

    place: Place
    act: str
    server: str | None = None
    seconds: float = 0.0

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Sabotage:
        return cls(**{**data, "place": Place(**data["place"])})


def listener(sabotage: Sabotage, site: Site) -> Listener:
    """Acts when its process comes to the place."""
    place, passed, counting = sabotage.place, 0, threading.Lock()

    def listen(point: str, subject: str) -> None:
        nonlocal passed
        if (point, subject) != (place.point, place.subject):
            return
        with counting:
            passed += 1
            mine = passed == place.nth
        if mine:
            _act(sabotage, site)

    return listen


def _act(sabotage: Sabotage, site: Site) -> None:
    act = ACTS[sabotage.act]
    if sabotage.seconds:
        threading.Timer(sabotage.seconds, act, (sabotage, site)).start()
    else:
        act(sabotage, site)


def _exit(_: Sabotage, site: Site) -> None:
    (site.path / KILLED).touch()
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(_: Sabotage, __: Site) -> None:
    raise RuntimeError("sabotage")


def _stop(_: Sabotage, __: Site) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _lose_store(sabotage: Sabotage, site: Site) -> None:
    if sabotage.server is None:
        _fill_disk()
    else:
        _shut_out(sabotage.server, urlsplit(site.database_url).path.removeprefix("/"))


def _fill_disk() -> None:
    """No file of this process can grow for a while: not one write of SQLite works."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    back = threading.Timer(
        GONE_SECONDS, resource.setrlimit, (resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, most))
    )
    back.daemon = True
    back.start()


def _shut_out(server: str, name: str) -> None:
    """Every connection to the database is cut, and none is let in for a while."""
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    allow = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(allow.format(Identifier(name), SQL("false")))
        connection.execute(cut, (name,))

    def let_in() -> None:
        time.sleep(GONE_SECONDS)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(allow.format(Identifier(name), SQL("true")))

    threading.Thread(target=let_in).start()


ACTS: Mapping[str, Callable[[Sabotage, Site], None]] = {
    "exit": _exit,
    "exception": _raise,
    "stop": _stop,
    "store gone": _lose_store,
}
