"""Log lines as named events with fields, through the standard library's logging.

A host's own handlers and levels rule; nothing is printed unless somebody asked for it. Fields
never hold texts, phone numbers or secrets.
"""

from __future__ import annotations

import logging
from traceback import extract_tb

import structlog
from structlog.stdlib import BoundLogger
from structlog.typing import ExcInfo

from sms_fsm.errors import SmsFsmError


def places(exc_info: ExcInfo) -> str:
    """An exception as its kinds and places, cause after cause.

    What a foreign one says is left out: it may repeat a text or a number. Our own say neither.
    """
    told: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        said = f": {error}" if isinstance(error, SmsFsmError) else ""
        told.append(f"{type(error).__name__}{said}")
        told += (
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in extract_tb(error.__traceback__)
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(told)


def get_logger(name: str) -> BoundLogger:
    """A logger whose events become log records with their fields in ``extra``."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.ExceptionRenderer(places),
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger
