"""Style, script, font and icon: read once, and cached by browsers until a new release."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

from fastapi import APIRouter, Request, Response

_TYPES: Mapping[str, str] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "inter.woff2": "font/woff2",
    "icon.svg": "image/svg+xml",
}
_FOLDER = files("sms_fsm.web.page") / "static"


def assets() -> APIRouter:
    """The files under ``/static``, which say nothing of conversations."""
    contents = {name: (_FOLDER / name).read_bytes() for name in _TYPES}
    router = APIRouter()

    @router.get("/static/{name}", name="sms_fsm.page.static")
    async def asset(request: Request, name: str) -> Response:
        if name not in contents:
            return Response(status_code=404)
        tag = f'"{hashlib.sha256(contents[name]).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(contents[name], media_type=_TYPES[name], headers=headers)

    return router
