"""Figures that log events carry: what happens deep inside, where no figure should be wired to."""

from __future__ import annotations

import logging
import math
import time

from prometheus_client import CollectorRegistry, Counter, Gauge

_LOGGER = logging.getLogger("sms_fsm")
_TOKEN_RESULTS = {"token.renewed": "ok", "token.refused": "refused"}


class LogFigures(logging.Handler):
    """Counts log events by name. Names are few and fixed; fields are not looked at.

    A host that silences the logger ``sms_fsm`` silences these figures, too.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(logging.INFO)
        self._warnings = Counter(
            "smsfsm_log_events",
            "Log events of this process at level warning or above.",
            ["event", "level"],
            registry=registry,
        )
        self._lost = Counter(
            "smsfsm_lease_expired",
            "Effects of this process that another worker took over, because their lease ran out.",
            registry=registry,
        )
        self._tokens = Counter(
            "smsfsm_token_refresh", "Access tokens asked for.", ["result"], registry=registry
        )
        self._expiry = Gauge(
            "smsfsm_token_expiry_timestamp_seconds",
            "When the access token that this process got last expires; NaN before it got one.",
            registry=registry,
        )
        self._expiry.set(math.nan)

    def attach(self) -> None:
        """Begin to hear log events."""
        _LOGGER.addHandler(self)

    def detach(self) -> None:
        """Hear no more."""
        _LOGGER.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Count one event."""
        event = str(record.msg)
        if record.levelno >= logging.WARNING:
            self._warnings.labels(event, record.levelname.lower()).inc()
        if event == "effect.lease_lost":
            self._lost.inc()
        if event in _TOKEN_RESULTS:
            self._tokens.labels(_TOKEN_RESULTS[event]).inc()
        lifetime = getattr(record, "expires_in_seconds", None)
        if isinstance(lifetime, int | float):
            self._expiry.set(time.time() + lifetime)
