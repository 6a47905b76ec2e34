"""Logs of long-running commands: one JSON object a line on stderr, ready for a log collector.

JSON escapes what would break a line, so a hostile text cannot forge one.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.typing import EventDict, WrappedLogger

from sms_fsm.logs import places
from sms_fsm.sms import mask

_NUMBER = re.compile(r"(?:\+|%2B)[0-9][0-9 ().\-]{5,20}[0-9]", re.IGNORECASE)


@contextmanager
def json_log_lines() -> Iterator[None]:
    """Send this package's records to stderr from INFO on, those of libraries from WARNING on."""
    root, ours = logging.getLogger(), logging.getLogger("sms_fsm")
    before = (root.handlers[:], root.level, ours.level)
    root.handlers[:] = [_handler()]
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:], level, our_level = before
        root.setLevel(level)
        ours.setLevel(our_level)


def _handler() -> logging.Handler:
    stamped = (
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*stamped, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(places),
            _mask_numbers,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def _mask_numbers(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A second net: no field of ours holds a phone number, but a library may log an address."""
    return {
        name: _NUMBER.sub(lambda found: mask(found[0]), value) if isinstance(value, str) else value
        for name, value in event.items()
    }
