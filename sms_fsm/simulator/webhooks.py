"""The webhook sender: at least once, signed, retried, and hostile on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import standardwebhooks

from sms_fsm.simulator.faults import Fault, FaultPlan
from sms_fsm.simulator.ledger import Entry
from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import Changes, Json, Sending, Webhook

Headers = dict[str, str]
_MAX_ATTEMPTS = 12
_LONGEST_WAIT_SECONDS = 30.0
_ANSWER_WITHIN_SECONDS = 2.0
_OUTDATED = timedelta(minutes=10)
_HELD_SECONDS = 1.0
_INFLATED = 1_000_000
_DEEP = 20_000


class Receiver(Protocol):
    """Where webhooks go."""

    def send(self, body: bytes, headers: Headers) -> int | None:
        """Delivers; gives the HTTP status, None when no answer came in time."""

    def abort(self, body: bytes, headers: Headers) -> None:
        """Delivers, but does not wait for the answer."""


@dataclass(frozen=True, slots=True)
class CallbackReceiver:
    """A receiver in this process: a function that gives the HTTP status."""

    callback: Callable[[bytes, Headers], int]

    def send(self, body: bytes, headers: Headers) -> int | None:
        return self.callback(body, headers)

    def abort(self, body: bytes, headers: Headers) -> None:
        self.callback(body, headers)


@dataclass(frozen=True, slots=True)
class UrlReceiver:
    """A receiver over HTTP."""

    url: str

    def send(self, body: bytes, headers: Headers) -> int | None:
        with self._connection() as connection:
            try:
                self._post(connection, body, headers)
                return connection.getresponse().status
            except (OSError, HTTPException):
                return None

    def abort(self, body: bytes, headers: Headers) -> None:
        with self._connection() as connection:
            try:
                self._post(connection, body, headers)
            except (OSError, HTTPException):
                return

    def _post(self, connection: HTTPConnection, body: bytes, headers: Headers) -> None:
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, headers)

    @contextmanager
    def _connection(self) -> Iterator[HTTPConnection]:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_ANSWER_WITHIN_SECONDS)
        try:
            yield connection
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Signer:
    """Puts a body into headers as Standard Webhooks wants them, if there is a secret.

    Signatures carry the real time: receivers check their age by it.
    """

    secret: str | None = field(repr=False)

    def headers(self, webhook_id: str, body: bytes, age: timedelta = timedelta(0)) -> Headers:
        headers = {"content-type": "application/json"}
        if self.secret is None:
            return headers
        at = datetime.now(UTC) - age
        signature = standardwebhooks.Webhook(self.secret).sign(
            webhook_id, at, body.decode("utf-8", "replace")
        )
        return headers | {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }


@dataclass(slots=True)
class Sender:
    """Sends what waits in the platform; what is not answered 2xx stays and is tried again."""

    platform: Platform
    faults: FaultPlan
    signer: Signer
    receiver: Receiver | None
    _in_flight: set[str] = field(default_factory=set)
    _not_before: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def webhook(self, envelope: Json, number: int = 0) -> Webhook:
        """A new webhook; ``number`` tells apart those of one commit."""
        return Webhook(f"wh-{len(self.platform.webhooks) + 1 + number:08d}", envelope)

    def emit(
        self, operation: str, kind: str, data: Json, change: Callable[[], Changes] = Changes
    ) -> None:
        """Commits a platform event, what it changes and its webhook, then sends it."""
        hooks: tuple[Webhook, ...] = ()
        with self.platform.lock:
            if self.receiver:
                hooks = (self.webhook({"type": kind, "data": data}),)
            known = replace(change(), webhooks=hooks)
            at, conversation_id = self.platform.now(), data.get("conversation_id")
            self.platform.commit(
                Entry(at, operation, conversation_id=conversation_id, changes=known)
            )
        self.send([hook.id for hook in hooks])

    def waiting(self, *, due: bool = False) -> list[str]:
        """Ids of webhooks that are to be sent; with ``due`` only those whose wait is over."""
        with self.platform.lock:
            ids = list(self.platform.awaiting_receiver)
        now = time.monotonic()
        return [one for one in ids if not due or self._not_before.get(one, now) <= now]

    def send(self, ids: list[str], threads: int = 1) -> int:
        """One attempt at each; gives how many there were."""
        self.platform.ledger.sync()
        if threads == 1:
            return sum(map(self._attempt, ids))
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(self._attempt, ids))

    def _attempt(self, webhook_id: str) -> int:
        receiver = self.receiver
        if receiver is None or not self._claim(webhook_id):
            return 0
        try:
            self._deliver(receiver, self.platform.webhooks[webhook_id])
        finally:
            with self._lock:
                self._in_flight.discard(webhook_id)
        return 1

    def _claim(self, webhook_id: str) -> bool:
        with self._lock:
            waiting = webhook_id in self.platform.awaiting_receiver
            if not waiting or webhook_id in self._in_flight:
                return False
            self._in_flight.add(webhook_id)
            return True

    def _deliver(self, receiver: Receiver, webhook: Webhook) -> None:
        body = json.dumps(webhook.envelope).encode()
        fault = self.faults.pick("webhook", body.decode())
        if fault and fault.kind == "drop":
            self._record(replace(webhook, sending=Sending.LOST), None, fault)
            return
        if fault and fault.kind == "hold":
            wait = _HELD_SECONDS if fault.seconds is None else fault.seconds
            self._not_before[webhook.id] = time.monotonic() + wait
            self._record(webhook, None, fault)
            return
        if fault:
            self._misbehave(receiver, webhook, body, fault)
        if fault and fault.kind == "array":
            body = b"[" + body + b"," + body + b"]"
        status = receiver.send(body, self.signer.headers(webhook.id, body))
        self._record(self._after(webhook, status), status, fault)

    def _misbehave(self, receiver: Receiver, webhook: Webhook, body: bytes, fault: Fault) -> None:
        """What comes before the right delivery."""
        headers = self.signer.headers(webhook.id, body)
        match fault.kind:
            case "repeat":
                for _ in range((fault.size or 2) - 1):
                    receiver.send(body, headers)
            case "abort":
                receiver.abort(body, headers)
            case "forge":
                receiver.send(body, headers | _forged(headers))
            case "outdate":
                receiver.send(body, self.signer.headers(webhook.id, body, _OUTDATED))
            case kind if kind in _SPOILERS:
                bad = _SPOILERS[kind](body, fault)
                receiver.send(bad, self.signer.headers(webhook.id, bad))

    def _after(self, webhook: Webhook, status: int | None) -> Webhook:
        attempts = webhook.attempts + 1
        if status is not None and 200 <= status < 300:  # noqa: PLR2004 - HTTP's 2xx
            return replace(webhook, sending=Sending.ACCEPTED, attempts=attempts)
        wait = min(0.1 * 2**attempts, _LONGEST_WAIT_SECONDS)
        self._not_before[webhook.id] = time.monotonic() + wait
        given_up = attempts >= _MAX_ATTEMPTS
        sending = Sending.GIVEN_UP if given_up else Sending.PENDING
        return replace(webhook, sending=sending, attempts=attempts)

    def _record(self, webhook: Webhook, status: int | None, fault: Fault | None) -> None:
        data = webhook.envelope["data"]
        self.platform.commit(
            Entry(
                at=self.platform.now(),
                operation="webhook",
                conversation_id=data.get("conversation_id"),
                message_id=data.get("message_id"),
                status=status,
                fault=fault.name if fault else None,
                changes=Changes(webhooks=(webhook,)),
            )
        )


def _forged(headers: Mapping[str, str]) -> Headers:
    return {"webhook-signature": "v1," + headers.get("webhook-signature", "v1,none")[3:].swapcase()}


def _inflated(body: bytes, fault: Fault) -> bytes:
    return body[:-1] + b" " * (fault.size or _INFLATED) + body[-1:]


def _mistyped(body: bytes, _: Fault) -> bytes:
    envelope = json.loads(body)
    return json.dumps(envelope | {"data": {name: [1] for name in envelope["data"]}}).encode()


def _stray(_: bytes, __: Fault) -> bytes:
    ids = {name: f"stray-{uuid4().hex}" for name in ("message_id", "conversation_id")}
    return json.dumps({"type": "delivery.status", "data": {**ids, "status": "sent"}}).encode()


def _contradicted(body: bytes, _: Fault) -> bytes:
    return body.replace(b'"status": "delivered"', b'"status": "failed"')


_SPOILERS: dict[str, Callable[[bytes, Fault], bytes]] = {
    "cut": lambda body, _: body[: len(body) // 2],
    "inflate": _inflated,
    "garble": lambda body, _: body.replace(b'"type"', b'"\xff\xfe"'),
    "deepen": lambda *_: b"[" * _DEEP + b"]" * _DEEP,
    "mistype": _mistyped,
    "stray": _stray,
    "contradict": _contradicted,
}
