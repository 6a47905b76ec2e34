"""Run as a program: eight processes open one new store at once, migrate it and store something.

The processes come from one that has imported everything, so that they start at the same moment.
"""

from __future__ import annotations

import os
import sys
import traceback

from sms_fsm.store import open_database, upgrade
from store.shelf import Shelf

PROCESSES = 8


def _open_and_store(url: str, identity: str) -> None:
    database = open_database(url)
    upgrade(database)
    Shelf(database).create(identity, isolation=identity)


def _fork(url: str, number: int, start: tuple[int, int]) -> int:
    child = os.fork()
    if child:
        return child
    reading, writing = start
    os.close(writing)
    os.read(reading, 1)
    try:
        _open_and_store(url, f"c-{number}")
    except BaseException:  # noqa: BLE001 - whatever it is, the parent shows it and fails
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(url: str) -> bool:
    """Whether all of them succeeded."""
    start = os.pipe()
    children = [_fork(url, number, start) for number in range(PROCESSES)]
    os.close(start[1])
    ended = [os.waitpid(child, 0)[1] for child in children]
    return not any(ended)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1]) else 1)
