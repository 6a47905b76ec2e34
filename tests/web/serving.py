"""A real server in a thread, and clients that sign and log in as senders and operators do."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI
from standardwebhooks import Webhook
from world import BUSINESS, CUSTOMER

SECRET = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes !!!").decode()
TOKEN = "a-token-for-operators-and-hosts"


class Client:
    """What senders, hosts and probes do over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=10, allow_redirects=False, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.url + path, timeout=10, allow_redirects=False, **options)

    def send(self, *envelopes: Any, secret: str = SECRET) -> requests.Response:
        """Signed envelopes: one as it is, several as an array."""
        body = json.dumps(envelopes[0] if len(envelopes) == 1 else list(envelopes)).encode()
        return self.post("/webhooks/cxone", data=body, headers=signed(body, secret))

    def call(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> Any:
        """The JSON API."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.request(method, self.url + path, json=body, headers=headers, timeout=10)


def signed(body: bytes, secret: str = SECRET, *, at: datetime | None = None) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    moment = at or datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
    }


def text(message_id: str, text: str = "hi", **fields: Any) -> dict[str, Any]:
    """The envelope of a customer's text."""
    data = {"message_id": message_id, "from": CUSTOMER, "to": BUSINESS, "text": text}
    return {"type": "message.received", "data": data | fields}


def status(message_id: str, conversation_id: str, said: str, **fields: Any) -> dict[str, Any]:
    """The envelope of a carrier's word."""
    data = {"message_id": message_id, "conversation_id": conversation_id, "status": said}
    return {"type": "delivery.status", "data": data | fields}


@contextmanager
def serving(app: FastAPI) -> Iterator[Client]:
    """The application behind a real server on a free port."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        client = Client(_address(server))
        with client.session:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _address(server: uvicorn.Server) -> str:
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    return "http://{}:{}".format(*server.servers[0].sockets[0].getsockname()[:2])
