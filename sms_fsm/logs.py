"""Log lines as named events with fields, through the standard library's logging.

A host's own handlers and levels rule; nothing is printed unless somebody asked for it. Fields
never hold texts, phone numbers or secrets.
"""

from __future__ import annotations

import logging

import structlog
from structlog.stdlib import BoundLogger


def get_logger(name: str) -> BoundLogger:
    """A logger whose events become log records with their fields in ``extra``."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger
