"""Webhooks in any WSGI host, such as Flask, Django or none: gunicorn embed_wsgi:app

`Engine.webhook` is the same framework-free ingress that the service has: it verifies, parses,
stores and then answers. Effects are carried out by `sms-fsm work`, beside it or elsewhere.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from sms_fsm import Engine, Settings

engine = Engine.from_settings(Settings.from_env())

MOST_BYTES = 256 * 1024


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """POST /webhooks/cxone."""
    if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != ("POST", "/webhooks/cxone"):
        start_response("404 Not Found", [])
        return [b""]
    length = min(int(environ.get("CONTENT_LENGTH") or 0), MOST_BYTES + 1)
    reply = engine.webhook(environ["wsgi.input"].read(length), headers_of(environ))
    status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    start_response(status, [("Content-Type", "application/json")])
    return [reply.body.encode()]


def headers_of(environ: dict[str, Any]) -> dict[str, str]:
    """``HTTP_WEBHOOK_ID`` is ``webhook-id``: names in any case are understood."""
    return {
        name.removeprefix("HTTP_").replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
