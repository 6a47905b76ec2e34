"""What CONTRACT §5 and §6 say of one conversation, in plain dicts and sets.

It hears what happened from the event log (names, times and facts) and says for itself which state
and which statuses follow, and what must not have happened yet. It shares no code with the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

RETRY_AFTER = tuple(timedelta(seconds=wait) for wait in (60, 300, 900))  # §5.6
IDLE_AFTER = timedelta(hours=72)  # §6.6
FINAL_CODE = "30005"
"""A code that no carrier's customer gets over."""
_SENDABLE = {"active", "routed", "delivered", "failed", "reactivated", "awaiting_delivery"}
_SILENT = {"queued", "accepted"}
_DELIVERED = "delivered"
_FAILED = {"failed", "undelivered"}


@dataclass
class Text:
    """One text: words of carriers by part and by attempt (CXone's message id)."""

    direction: str
    parts: int
    words: dict[int, dict[str, set[str]]] = field(default_factory=dict)
    again_at: dict[int, datetime] = field(default_factory=dict)
    verdict: str | None = None
    exhausted: bool = False
    failed_in: int | None = None
    dead: bool = False

    @property
    def taken(self) -> bool:
        return any(self.words.values())

    @property
    def outbound(self) -> bool:
        return self.direction == "outbound"

    @property
    def outstanding(self) -> bool:
        """CXone took it, and there is no final word; waiting for a retry is outstanding (§6)."""
        return self.outbound and self.taken and self.verdict is None

    @property
    def status(self) -> str:
        """As `Message.status` names it."""
        if self.verdict or self.dead:
            return self.verdict or "failed"
        said = {w for attempts in self.words.values() for words in attempts.values() for w in words}
        if said - _SILENT:
            return "sent"
        return "accepted" if self.taken else "queued"

    def post(self, part: int, message_id: str, at: datetime) -> None:
        """CXone took a part: first of all, or again because the newest attempt failed."""
        attempts = self.words.setdefault(part, {})
        if attempts:
            assert part in self.again_at, "sent again without a failure"
            assert at >= self.again_at.pop(part), "sent again too early"
        attempts[message_id] = set()

    def delivered_in_full(self) -> bool:
        """Each part has one delivered attempt (§5.5)."""
        return all(self.delivered(part) for part in range(self.parts))

    def delivered(self, part: int) -> bool:
        return any(_DELIVERED in words for words in self.words.get(part, {}).values())

    def newest(self, part: int) -> str:
        return list(self.words[part])[-1]

    def failures(self, part: int) -> int:
        """Attempts at a part that failed."""
        return sum(bool(words & _FAILED) for words in self.words[part].values())


@dataclass
class Model:
    """One customer with one business number.

    ``fallback``: whether the host has another channel.
    """

    fallback: bool
    state: str = "new"
    texts: dict[int, Text] = field(default_factory=dict)
    spell: int = 0
    written_at: datetime | None = None

    def hear(self, seq: int, name: str, data: Mapping[str, Any], at: datetime) -> None:
        """What follows from one event.

        Raises:
            AssertionError: it must not have happened, or not yet.
        """
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, seq, data, at)

    # Texts come in

    def _text(self, direction: str, seq: int, data: Mapping[str, Any], at: datetime) -> None:
        self.texts[seq] = Text(direction, len(data["parts"]))
        self.written_at = at

    def _message_received(self, seq: int, data: Mapping[str, Any], at: datetime) -> None:
        self._text("inbound", seq, data, at)

    def _reply_requested(self, seq: int, data: Mapping[str, Any], at: datetime) -> None:
        self._text("note" if data["note"] else "outbound", seq, data, at)

    def _conversation_initiated(self, seq: int, data: Mapping[str, Any], at: datetime) -> None:
        self._text("outbound", seq, data, at)

    # §6.1, 6.7, 6.8, 6.9: opening, routing, hand-over

    def _conversation_opened(self, _: int, data: Mapping[str, Any], __: datetime) -> None:
        if self.state != "new":
            return
        found = data["how"] in ("adopted", "reactivated")
        assigned = {"queue_id", "agent_id"} & set(data["routing"])
        self.state = "routed" if found and assigned else "active"

    def _routed(self, _: int, __: Mapping[str, Any], ___: datetime) -> None:
        if self.state in ("active", "reactivated"):
            self.state = "routed"

    def _conversation_reactivated(self, _: int, __: Mapping[str, Any], ___: datetime) -> None:
        if self.state == "archived":
            self.state = "reactivated"

    def _conversation_closed(self, _: int, __: Mapping[str, Any], ___: datetime) -> None:
        self.state = "new"

    # §6.6: archival

    def _archived(self, _: int, __: Mapping[str, Any], ___: datetime) -> None:
        if self.state != "new":
            self.state = "archived"

    def _idle_elapsed(self, _: int, __: Mapping[str, Any], at: datetime) -> None:
        assert self.written_at is None or at >= self.written_at + IDLE_AFTER, "idle too early"
        self._archived(_, __, at)

    # §6.3, 6.4: texts taken by CXone

    def _message_posted(self, _: int, data: Mapping[str, Any], at: datetime) -> None:
        text = self.texts[data["message"]]
        text.post(data["part"], data["message_id"], at)
        if text.outbound and self.state in _SENDABLE:
            self.spell += self.state != "awaiting_delivery"
            self.state = "awaiting_delivery"
        elif text.direction == "inbound" and self.state in ("delivered", "failed", "reactivated"):
            self.state = "routed"

    # §5.5, 5.6, 5.7, 6.5: what carriers say

    def _delivery_reported(self, _: int, data: Mapping[str, Any], at: datetime) -> None:
        text, part, status = self.texts[data["message"]], data["part"], data["status"]
        words = text.words[part][data["message_id"]]
        repeated, failed_before = status in words, bool(words & _FAILED)
        if repeated:
            assert (part in text.again_at, data["codes"]) == (True, [FINAL_CODE]), "a duplicate"
        words.add(status)
        if text.delivered(part):
            text.again_at.pop(part, None)
        if text.delivered_in_full():
            self._settle(text, _DELIVERED)
        elif status in _FAILED and (repeated or not failed_before):
            self._fail(text, data, at)

    def _fail(self, text: Text, data: Mapping[str, Any], at: datetime) -> None:
        """An attempt failed: another one follows if it was the newest and may be repeated."""
        part = data["part"]
        settled = text.verdict or text.exhausted or text.delivered(part)
        if settled or data["message_id"] != text.newest(part):
            return
        tried = text.failures(part)
        if data["codes"] == [FINAL_CODE] or tried > len(RETRY_AFTER):
            self._exhaust(text)
        else:
            text.again_at[part] = at + RETRY_AFTER[tried - 1]

    def _exhaust(self, text: Text) -> None:
        text.exhausted = True
        text.again_at.clear()
        if not self.fallback:
            self._settle(text, "failed")

    def _fallback_sent(self, _: int, data: Mapping[str, Any], __: datetime) -> None:
        text = self.texts[data["message"]]
        assert text.verdict is None, "the other channel got a text with a last word"
        self._settle(text, "failed")

    def _effect_died(self, _: int, data: Mapping[str, Any], __: datetime) -> None:
        """Whatever gave up for good (last paragraph of §5)."""
        text = self.texts.get(data["message"] or -1)
        if text is None or text.verdict or data["name"] not in ("PostMessage", "SendFallback"):
            return
        if data["name"] == "PostMessage" and text.outbound and text.taken and not text.exhausted:
            self._exhaust(text)
        elif text.outbound:
            self._settle(text, "failed")
        else:
            text.dead = True

    def _effect_retried(self, _: int, data: Mapping[str, Any], at: datetime) -> None:
        """An operator's word: the text waits again, as if it had not failed."""
        text = self.texts.get(data["message"] or -1)
        if text is None or data["name"] != "PostMessage":
            return
        text.verdict, text.exhausted, text.failed_in, text.dead = None, False, None, False
        text.again_at = {part: at for part in text.words if text.words[part]}

    def _settle(self, text: Text, verdict: str) -> None:
        text.verdict = verdict
        text.again_at.clear()
        text.failed_in = self.spell if verdict == "failed" and text.taken else None
        if any(other.outstanding for other in self.texts.values()):
            return
        failed = any(other.failed_in == self.spell for other in self.texts.values())
        if self.state == "awaiting_delivery":
            self.state = "failed" if failed else "delivered"
        elif self.state == "failed" and verdict == _DELIVERED and not failed:
            self.state = "delivered"


_Handler = Callable[[Model, int, Mapping[str, Any], datetime], None]
_HANDLERS: Mapping[str, _Handler] = {
    "MessageReceived": Model._message_received,
    "ReplyRequested": Model._reply_requested,
    "ConversationInitiated": Model._conversation_initiated,
    "ConversationOpened": Model._conversation_opened,
    "RoutingUpdated": Model._routed,
    "AgentAssigned": Model._routed,
    "ConversationReactivated": Model._conversation_reactivated,
    "ConversationClosed": Model._conversation_closed,
    "MessagePosted": Model._message_posted,
    "DeliveryReported": Model._delivery_reported,
    "FallbackSent": Model._fallback_sent,
    "EffectDied": Model._effect_died,
    "EffectRetried": Model._effect_retried,
    "ArchiveRequested": Model._archived,
    "ConversationArchived": Model._archived,
    "IdleElapsed": Model._idle_elapsed,
}
