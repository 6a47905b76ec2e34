"""Reads request bodies without trusting what they say of their length."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from sms_fsm.web.answers import Refused

_SECONDS_FOR_A_BODY = 10.0
_HANG_UP = {"Connection": "close"}


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body, if it is no longer than ``most_bytes`` and comes within ten seconds.

    No more than the limit and one chunk is read, whatever ``Content-Length`` says. On a refusal
    the connection is closed, so that the rest is not read either.

    Raises:
        Refused: 413 too long, 415 compressed, 408 too slow, 400 the sender hung up.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "compressed bodies are not taken", _HANG_UP)
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most_bytes:
        raise Refused(413, f"the body is over {most_bytes} bytes", _HANG_UP)
    try:
        async with asyncio.timeout(_SECONDS_FOR_A_BODY):
            return await _read(request, most_bytes)
    except TimeoutError:
        raise Refused(408, "the body came too slowly", _HANG_UP) from None
    except ClientDisconnect:
        raise Refused(400, "the sender hung up") from None


async def _read(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise Refused(413, f"the body is over {most_bytes} bytes", _HANG_UP)
    return bytes(body)
