"""A token endpoint that behaves: single-use refresh tokens, revocable access tokens, faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

import pytest
from requests import PreparedRequest

from sms_fsm.cxone import CXoneClient
from sms_fsm.errors import CXoneError

Reply = tuple[int, Mapping[str, str], str]


@dataclass
class TokenDesk:
    """Answers token requests for `responses`.

    Args:
        extra: fields that each token answer has besides the tokens; None takes one out.
        faults: answers given instead of a token, first come first served.
    """

    extra: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    refreshes: bool = True
    grants: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    good: str | None = None
    refresh_token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, request: PreparedRequest) -> Reply:
        with self._lock:
            form = dict(parse_qsl(_text(request.body)))
            self.forms.append(form)
            self.grants.append(form["grant_type"])
            if self.faults:
                status, body = self.faults.pop(0)
                return status, self.headers, body
            if (
                form["grant_type"] == "refresh_token"
                and form["refresh_token"] != self.refresh_token
            ):
                return 400, {}, '{"error": "invalid_grant"}'
            return 200, {}, json.dumps(self._issue())

    def api(self, request: PreparedRequest) -> Reply:
        """An operation of the platform that takes the newest token alone."""
        with self._lock:
            if request.headers["Authorization"] == f"Bearer {self.good}":
                return 200, {}, "[]"
            return 401, {}, '{"error": {"code": "unauthorized", "message": "expired"}}'

    def revoke(self) -> None:
        self.good = None

    def _issue(self) -> dict[str, Any]:
        number = len(self.forms)
        self.good = f"canary-access-{number}"
        token: dict[str, Any] = {
            "access_token": self.good,
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        if self.refreshes:
            token["refresh_token"] = self.refresh_token = f"canary-refresh-{number}"
        return {name: each for name, each in (token | self.extra).items() if each is not None}


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)


def call(client: CXoneClient) -> None:
    """A call that needs a good token."""
    assert client.delivery_statuses("conv-1", timeout_seconds=5) == ()


def failing_call(client: CXoneClient) -> CXoneError:
    with pytest.raises(CXoneError) as caught:
        client.delivery_statuses("conv-1", timeout_seconds=5)
    return caught.value
