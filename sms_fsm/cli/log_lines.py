"""Logs of long-running commands: one JSON object a line on stderr, ready for a log collector.

JSON escapes what would break a line, so a hostile text cannot forge one.
"""

from __future__ import annotations

import logging
import sys

import structlog


def log_as_json_lines() -> None:
    """Send this package's records to stderr from INFO on, those of libraries from WARNING on."""
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sms_fsm").setLevel(logging.INFO)
