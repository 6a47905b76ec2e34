"""Logs of long-running commands: one JSON object a line on stderr, ready for a log collector.

JSON escapes what would break a line, so a hostile text cannot forge one.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


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
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler
