"""The framework-free ingress: verify, parse, store, then answer.

Source: `webhooks` of the wire contract; signatures as in Standard Webhooks.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from sms_fsm.errors import InvalidMessage, SettingsError, StoreUnavailable
from sms_fsm.intake import Fact, Intake, Outcome
from sms_fsm.logs import get_logger
from sms_fsm.messages import DeliveryStatus, InboundMessage, Receipt

_log = get_logger(__name__)

LARGEST_BODY_BYTES = 256 * 1024
_MOST_ENVELOPES = 1000
_DEEPEST = 16

# Everything that the library raises on malformed input; each of them is a 401.
_UNVERIFIED = (WebhookVerificationError, ValueError, binascii.Error, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What the sender gets: an HTTP status and a JSON body."""

    status: int
    body: str


class Ingress:
    """Takes the platform's and the carriers' callbacks in.

    Args:
        secrets: signing secrets that are good now; none: signatures are not asked for.

    Raises:
        SettingsError: a secret is none.
    """

    def __init__(self, intake: Intake, secrets: tuple[str, ...]) -> None:
        self._intake = intake
        self._verifiers = tuple(map(_verifier, secrets))
        self._readers: Mapping[str, Callable[[Mapping[str, Any]], Fact]] = {
            "message.received": self._message,
            "delivery.status": self._status,
            "conversation.archived": self._archived,
            "conversation.assigned": self._assigned,
        }

    def webhook(self, body: bytes, headers: Mapping[str, str]) -> WebhookReply:
        """One envelope or an array of them.

        200 with a result for each when at least one was stored (or known already), 400 when none
        could be used, 401 unsigned, 413 too large, 503 when the store is away: send it again.
        """
        if len(body) > LARGEST_BODY_BYTES:
            return _refusal(413, f"the body is over {LARGEST_BODY_BYTES} bytes")
        if not self._is_genuine(body, headers):
            return _refusal(401, "the signature is missing, wrong or too old")
        try:
            envelopes = _envelopes(body)
        except InvalidMessage as error:
            return _refusal(400, str(error))
        readings = [self._read(envelope) for envelope in envelopes]
        try:
            results = self._take(readings)
        except StoreUnavailable as error:
            return _refusal(503, str(error))
        stored = any("error" not in result for result in results)
        return WebhookReply(200 if stored else 400, json.dumps({"results": results}))

    @property
    def verifies(self) -> bool:
        """Whether it asks for signatures."""
        return bool(self._verifiers)

    def _is_genuine(self, body: bytes, headers: Mapping[str, str]) -> bool:
        if not self._verifiers:
            return True
        lower = {name.lower(): value for name, value in headers.items()}
        return any(_verifies(verifier, body, lower) for verifier in self._verifiers)

    def _read(self, envelope: Any) -> Fact | InvalidMessage:
        """What an envelope says, or what is wrong with it."""
        try:
            return self._fact(envelope)
        except InvalidMessage as error:
            _log.warning("webhook.malformed", reason=str(error))
            return error

    def _fact(self, envelope: Any) -> Fact:
        if not isinstance(envelope, dict):
            raise InvalidMessage("envelope", "expected an object with type and data")
        kind, data = envelope.get("type"), envelope.get("data")
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise InvalidMessage("type", f"expected one of {', '.join(self._readers)}")
        if not isinstance(data, dict):
            raise InvalidMessage("data", "expected an object")
        return reader(data)

    def _take(self, readings: Sequence[Fact | InvalidMessage]) -> list[dict[str, Any]]:
        """A result for each, in order; the good ones are stored together, in order."""
        facts = [reading for reading in readings if not isinstance(reading, InvalidMessage)]
        outcomes = iter(self._intake.take(facts) if facts else ())
        return [
            _result(reading if isinstance(reading, InvalidMessage) else next(outcomes))
            for reading in readings
        ]

    def _message(self, data: Mapping[str, Any]) -> Fact:
        return self._intake.message(
            InboundMessage(
                message_id=_needed(data, "message_id"),
                from_=_needed(data, "from"),
                to=_needed(data, "to"),
                text=_needed(data, "text"),
                timestamp=data.get("timestamp"),
                name=data.get("name"),
                external_customer_id=data.get("external_customer_id"),
                preferred_language=data.get("preferred_language"),
            ),
            customer_field="from",
        )

    def _status(self, data: Mapping[str, Any]) -> Fact:
        return self._intake.status(
            DeliveryStatus(
                message_id=_needed(data, "message_id"),
                conversation_id=_needed(data, "conversation_id"),
                status=_needed(data, "status"),
                status_code=data.get("status_code"),
                carrier_status=data.get("carrier_status"),
                error_code=data.get("error_code"),
                direction=data.get("direction"),
                timestamp=data.get("timestamp"),
            )
        )

    def _archived(self, data: Mapping[str, Any]) -> Fact:
        return self._intake.archival(
            conversation_id=_needed(data, "conversation_id"), timestamp=data.get("timestamp")
        )

    def _assigned(self, data: Mapping[str, Any]) -> Fact:
        return self._intake.assignment(
            conversation_id=_needed(data, "conversation_id"),
            participant_id=_needed(data, "participant_id"),
            agent_id=data.get("agent_id"),
            queue_id=data.get("queue_id"),
            timestamp=data.get("timestamp"),
        )


def _result(outcome: Outcome | InvalidMessage) -> dict[str, Any]:
    if not isinstance(outcome, Receipt):
        return {"error": str(outcome)}
    return {
        "conversation": outcome.conversation,
        "duplicate": outcome.duplicate,
        "state": outcome.state,
        "reason": outcome.reason,
    }


def _needed(data: Mapping[str, Any], name: str) -> Any:
    if name not in data:
        raise InvalidMessage(name, "missing")
    return data[name]


def _verifier(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise SettingsError(
            "webhook_secret: expected whsec_ and 24 to 64 random bytes as base64"
        ) from None


def _verifies(verifier: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    try:
        verifier.verify(body, headers, json_parse=False)
    except _UNVERIFIED:
        return False
    return True


def _envelopes(body: bytes) -> list[Any]:
    try:
        parsed = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidMessage("body", "not JSON") from None
    envelopes = parsed if isinstance(parsed, list) else [parsed]
    if not envelopes:
        raise InvalidMessage("body", "an empty array holds no envelope")
    if len(envelopes) > _MOST_ENVELOPES:
        raise InvalidMessage("body", f"more than {_MOST_ENVELOPES} envelopes")
    if _depth(parsed) > _DEEPEST:
        raise InvalidMessage("body", f"nested deeper than {_DEEPEST}")
    return envelopes


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


def _refusal(status: int, reason: str) -> WebhookReply:
    return WebhookReply(status, json.dumps({"error": reason}))
