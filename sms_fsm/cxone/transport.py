"""HTTP to one platform: one call in, one answer or one `CXoneError` out."""

from __future__ import annotations

import logging
import re
from threading import local
from time import monotonic

import requests

from sms_fsm.cxone.calls import Answer, Call
from sms_fsm.cxone.deadline import Deadline
from sms_fsm.cxone.failures import TooLarge, out_of_time, translated
from sms_fsm.cxone.wire import PunctualAdapter, Until
from sms_fsm.failpoints import reach
from sms_fsm.logs import get_logger
from sms_fsm.ports import StoredToken

MOST_BODY_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 65_536
_MOST_CONNECTIONS = 64

_log = get_logger(__name__)


class Transport:
    """Sends calls and reads answers in full.

    No redirect is followed, nothing is repeated, TLS is always verified, the environment
    (proxies, ``.netrc``) is not read. An answer's body may have 8 MiB, decoded: room for the
    messages of a conversation that lasts for years.

    Args:
        base_url: such as ``https://api.example.com``.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._adapter = PunctualAdapter(pool_maxsize=_MOST_CONNECTIONS)
        self._threads = local()
        _keep_queries_out_of_logs()

    def send(self, call: Call, deadline: Deadline, token: StoredToken | None = None) -> Answer:
        """The answer, whatever its status.

        Raises:
            CXoneError: there was none, or none that can be read, by the deadline.
        """
        reach("call.before", call.operation)
        if not deadline.rest:
            raise out_of_time(call)
        answer: Answer | None = None
        began = monotonic()
        try:
            answer = translated(call, lambda: self._exchanged(call, deadline, token))
        finally:
            _log.debug(
                "cxone.call",
                operation=call.operation,
                status=answer.status if answer else None,
                seconds=round(monotonic() - began, 3),
            )
        reach("call.after", call.operation)
        return answer

    def close(self) -> None:
        """Close idle connections."""
        self._adapter.close()

    def _exchanged(self, call: Call, deadline: Deadline, token: StoredToken | None) -> Answer:
        with self._session().send(
            self._prepared(call, token),
            stream=True,
            allow_redirects=False,
            timeout=Until(deadline),  # type: ignore[arg-type]  # handed on to urllib3 as it is
        ) as response:
            reach("call.answered", call.operation)
            return Answer(
                response.status_code,
                _body(response),
                response.headers.get("Retry-After"),
            )

    def _prepared(self, call: Call, token: StoredToken | None) -> requests.PreparedRequest:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.access_token}"
        return requests.Request(
            call.method,
            self._base_url + call.path,
            headers=headers,
            params=call.query,
            json=call.json,
            data={name: value.get_secret_value() for name, value in (call.form or {}).items()},
        ).prepare()

    def _session(self) -> requests.Session:
        """The thread's own session. They share connections, which outlive threads."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.trust_env = False
            session.mount("https://", self._adapter)
            session.mount("http://", self._adapter)
        return session


def _body(response: requests.Response) -> bytes:
    """The body, decoded, read no further than the cap."""
    if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", "gzip"}:
        raise requests.exceptions.ContentDecodingError("an encoding that was not offered")
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise TooLarge
    return bytes(body)


class _QueryHidden(logging.Filter):
    """Cuts the query, which may hold a phone number, off the URLs that urllib3 logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _QUERY.sub("?…", part) if isinstance(part, str) else part for part in record.args
            )
        return True


_QUERY = re.compile(r"\?\S*")
_query_hidden = _QueryHidden()


def _keep_queries_out_of_logs() -> None:
    logging.getLogger("urllib3.connectionpool").addFilter(_query_hidden)
    logging.getLogger("urllib3.connection").addFilter(_query_hidden)
