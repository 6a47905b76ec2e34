"""This engine, as a host uses it: each text answered after its commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.contenders.contender import Contender
from bench.texts import BUSINESS, WORDS, Text
from sms_fsm import Engine, InboundMessage, Settings

CALLERS = 64
ARRAY = 1000


def open_engine(url: str, platform: str = "http://127.0.0.1:9") -> Engine:
    """An engine on this store; by default it can call nobody."""
    return Engine.from_settings(
        Settings(
            database_url=url,
            cxone_url=platform,
            client_id="bench",
            client_secret="bench",
            queue_id="queue_sms_support_01",
            workers=8,
        )
    )


class OneCaller(Contender):
    """One thread that calls `receive`."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            self._receive(text)

    def _receive(self, text: Text) -> None:
        receipt = self._engine.receive(
            InboundMessage(message_id=text.message_id, from_=text.customer, to=BUSINESS, text=WORDS)
        )
        assert not receipt.duplicate

    def close(self) -> None:
        self._engine.close()


class ManyCallers(OneCaller):
    """64 threads that call `receive`; the group commit joins them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._pool = ThreadPoolExecutor(CALLERS)

    def take(self, texts: Sequence[Text]) -> None:
        shares = [texts[start::CALLERS] for start in range(CALLERS)]
        for done in [self._pool.submit(super(ManyCallers, self).take, share) for share in shares]:
            done.result()

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


class Arrays(OneCaller):
    """Webhook bodies of 1,000 envelopes each, parsed, and answered after their commit."""

    def take(self, texts: Sequence[Text]) -> None:
        for start in range(0, len(texts), ARRAY):
            body = json.dumps([_envelope(text) for text in texts[start : start + ARRAY]]).encode()
            reply = self._engine.webhook(body, {})
            assert reply.status == 200, reply.body


def _envelope(text: Text) -> dict[str, object]:
    data = {"message_id": text.message_id, "from": text.customer, "to": BUSINESS, "text": WORDS}
    return {"type": "message.received", "data": data}
