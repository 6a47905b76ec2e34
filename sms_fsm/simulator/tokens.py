"""The token endpoint and the check of bearer tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import parse_qsl

from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Changes, Session
from sms_fsm.simulator.wire import Answer, Call, Refusal

SCOPES = (
    "conversations.read",
    "conversations.write",
    "participants.read",
    "participants.write",
    "messages.read",
    "messages.write",
    "delivery-status.read",
)
"""The guide's seven (Prerequisites)."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who may have tokens, which, and for how long."""

    client_id: str
    client_secret: str = field(repr=False)
    lifetime_seconds: int
    scopes: frozenset[str]

    def issue(self, platform: Platform, call: Call) -> Answer:
        """Answers issueToken: client_credentials or refresh_token (single-use, rotated).

        Raises:
            Refusal: an RFC 6749, section 5.2 error.
        """
        form = _form(call)
        self._authenticate(form)
        grants = {"client_credentials": self._open, "refresh_token": self._refresh}
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise Refusal(400, "unsupported_grant_type", "client_credentials or refresh_token")
        return grant(platform, form)

    def _authenticate(self, form: Mapping[str, str]) -> None:
        missing = [n for n in ("grant_type", "client_id", "client_secret") if not form.get(n)]
        if missing:
            raise Refusal(400, "invalid_request", f"missing: {', '.join(missing)}")
        given = (form["client_id"] + "\0" + form["client_secret"]).encode()
        if not hmac.compare_digest(given, f"{self.client_id}\0{self.client_secret}".encode()):
            raise Refusal(401, "invalid_client", "client_id or client_secret is wrong")

    def _open(self, platform: Platform, form: Mapping[str, str]) -> Answer:
        return self._grant(platform, self._asked_scopes(form))

    def _refresh(self, platform: Platform, form: Mapping[str, str]) -> Answer:
        session = platform.session_of_refresh(digest(form.get("refresh_token", "")))
        if session is None or session.refreshed:
            raise Refusal(400, "invalid_grant", "the refresh token is spent or unknown")
        return self._grant(platform, session.scopes, replace(session, refreshed=True))

    def _asked_scopes(self, form: Mapping[str, str]) -> frozenset[str]:
        asked = frozenset(form.get("scope", "").split())
        if not asked <= frozenset(SCOPES):
            raise Refusal(400, "invalid_scope", "a scope that does not exist was asked for")
        return (asked or self.scopes) & self.scopes

    def _grant(self, platform: Platform, scopes: frozenset[str], *spent: Session) -> Answer:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        expires_at = platform.now() + timedelta(seconds=self.lifetime_seconds)
        session = Session(digest(access), digest(refresh), scopes, expires_at)
        token = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "refresh_token": refresh,
            "scope": " ".join(sorted(scopes)),
        }
        no_store = {"Cache-Control": "no-store"}
        return Answer(200, token, no_store, Changes(sessions=(*spent, session)))


def authorise(platform: Platform, call: Call, scope: str) -> None:
    """Checks the bearer token of a call.

    Raises:
        Refusal: 401 unauthorized (unknown or expired) or 403 insufficient_scope.
    """
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    session = platform.sessions.get(digest(token)) if scheme.lower() == "bearer" else None
    if session is None or session.expires_at <= platform.now():
        raise Refusal(401, "unauthorized", "the token is missing, unknown or expired")
    if scope not in session.scopes:
        raise Refusal(403, "insufficient_scope", f"the token lacks the scope {scope}")


def digest(token: str) -> str:
    """How a token is kept: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _form(call: Call) -> dict[str, str]:
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Refusal(400, "invalid_request", "the body must be application/x-www-form-urlencoded")
    return dict(parse_qsl(call.body.decode("utf-8", "replace")))
