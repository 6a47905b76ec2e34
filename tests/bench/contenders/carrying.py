"""Carrying effects out: the dispatcher's eight threads, and eight bare sessions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from bench.contenders.contender import Contender
from bench.contenders.engine import Arrays, open_engine
from bench.texts import WORDS, Text

THREADS = 8


class Drained(Contender):
    """`drain`: each text that came in is one post; claimed, called, and recorded as an event."""

    def __init__(self, url: str, platform: str) -> None:
        self._arrays = Arrays(url)
        self._engine = open_engine(url, platform)

    def prepare(self, texts: Sequence[Text]) -> None:
        self._arrays.take(texts)

    def take(self, texts: Sequence[Text]) -> None:
        done = self._engine.drain()
        assert done == len(texts), f"{done} of {len(texts)} were carried out"

    def close(self) -> None:
        self._arrays.close()
        self._engine.close()


class Bare(Contender):
    """The same posts by `requests` alone: nothing is claimed, nothing recorded."""

    def __init__(self, _: str, platform: str) -> None:
        self._url = f"{platform}/api/v2/conversations/conv/messages"
        self._pool = ThreadPoolExecutor(THREADS)
        self._sessions = [requests.Session() for _ in range(THREADS)]
        for session in self._sessions:
            session.trust_env = False

    def take(self, texts: Sequence[Text]) -> None:
        shares = [texts[start::THREADS] for start in range(THREADS)]
        for done in [*map(self._pool.submit, [self._post] * THREADS, self._sessions, shares)]:
            done.result()

    def _post(self, session: requests.Session, texts: Sequence[Text]) -> None:
        for text in texts:
            body = {"content": {"text": WORDS}, "metadata": {"client_reference": text.message_id}}
            headers = {"Authorization": "Bearer bench"}
            assert session.post(self._url, json=body, headers=headers, timeout=10).ok

    def close(self) -> None:
        self._pool.shutdown()
