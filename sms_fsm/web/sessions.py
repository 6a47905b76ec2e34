"""Log-ins of operators: signed cookies, kept nowhere, good in every process with the same token.

The cookie holds the operator's name and when it ends, never the token; a new token ends them all.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from sms_fsm.web.access import Gate

COOKIE = "sms_fsm_session"
LIFETIME_SECONDS = 12 * 3600
_PURPOSE = b"sms_fsm operator session"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who is logged in. ``csrf`` must come with each act of theirs."""

    name: str
    csrf: str


class Sessions:
    """Opens and reads sessions.

    Args:
        gate: knows the API token, which the signing key is derived from.
    """

    def __init__(self, gate: Gate, now: Callable[[], float] = time.time) -> None:
        self._gate = gate
        self._now = now

    def open(self, name: str) -> str:
        """The cookie of a new session."""
        ends = int(self._now()) + LIFETIME_SECONDS
        payload = _encoded(orjson.dumps([name, ends, secrets.token_hex(8)]))
        return f"{payload}.{self._sign('session', payload)}"

    def read(self, cookie: str | None) -> Operator | None:
        """Whose cookie this is; None if it is not genuine or its time is over."""
        payload, _, signature = (cookie or "").partition(".")
        genuine = self._sign("session", payload)
        if not hmac.compare_digest(signature.encode(errors="replace"), genuine.encode()):
            return None
        name, ends, _ = orjson.loads(_decoded(payload))
        return Operator(name, self._sign("csrf", payload)) if ends > self._now() else None

    def _sign(self, use: str, payload: str) -> str:
        key = hmac.digest(self._gate.token.encode(), _PURPOSE, "sha256")
        return _encoded(hmac.digest(key, f"{use}:{payload}".encode(errors="replace"), "sha256"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
