"""Faults that make an answer, or what is stored, other than it should be."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sms_fsm.simulator.faults import Fault
from sms_fsm.simulator.platform import Platform
from sms_fsm.simulator.records import NO_CHANGES, Json
from sms_fsm.simulator.wire import Answer, Call, parse_time, refused

_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "insufficient_scope",
    404: "not_found",
    409: "conversation_archived",
    429: "rate_limited",
}
_IDS = ("conversationId", "message_id", "access_token")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a distortion takes place."""

    fault: Fault
    call: Call
    platform: Platform
    draw: random.Random


def distorted(answer: Answer, scene: Scene) -> Answer:
    """The answer as the fault leaves it; unchanged if the fault is of another sort."""
    distort = _DISTORTIONS.get(scene.fault.kind)
    return distort(answer, scene) if distort else answer


def _status(answer: Answer, scene: Scene) -> Answer:
    fault = scene.fault
    status = fault.status or (504 if fault.kind == "late" else 503)
    code = fault.code or _CODES.get(status, "unavailable")
    error = refused(scene.call.operation, status, code, "a fault on request")
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return replace(answer, status=status, body=error.body, headers={**error.headers, **headers})


def _redirect(answer: Answer, scene: Scene) -> Answer:
    return replace(answer, status=307, body=None, headers={"Location": scene.fault.location})


def _body(body: Any) -> Callable[[Answer, Scene], Answer]:
    return lambda answer, _: replace(answer, body=body)


def _error_body(answer: Answer, scene: Scene) -> Answer:
    error = refused(scene.call.operation, answer.status, "internal_error", "a fault on request")
    return replace(answer, status=200, body=error.body)


def _ids(value: Callable[[Json, str], Json]) -> Callable[[Answer, Scene], Answer]:
    def distort(answer: Answer, _: Scene) -> Answer:
        return replace(answer, body=_each(answer.body, lambda item: _without_ids(item, value)))

    return distort


def _without_ids(item: Json, value: Callable[[Json, str], Json]) -> Json:
    for name in _IDS:
        if name in item:
            item = value(item, name)
    return item


def _each(body: Any, change: Callable[[Json], Json]) -> Any:
    if isinstance(body, list):
        return [change(item) for item in body]
    return change(body) if isinstance(body, dict) else body


def _omit(item: Json, name: str) -> Json:
    return {key: value for key, value in item.items() if key != name}


def _lag(answer: Answer, scene: Scene) -> Answer:
    known = scene.platform.now() - timedelta(seconds=scene.fault.seconds or 0)
    return _listed(answer, lambda items: [item for item in items if _moment(item) <= known])


def _moment(item: Json) -> Any:
    return parse_time(item.get("created_at") or item["timestamp"])


def _page(answer: Answer, scene: Scene) -> Answer:
    return _listed(answer, lambda items: items[: scene.fault.size or 0])


def _first_page(answer: Answer, scene: Scene) -> Answer:
    everything = scene.platform.messages_of(scene.call.conversation_id or "")
    return _listed(answer, lambda _: [m.wire for m in everything][: scene.fault.size or 0])


def _reorder(answer: Answer, scene: Scene) -> Answer:
    return _listed(answer, lambda items: scene.draw.sample(items, len(items)))


def _unfiltered(answer: Answer, scene: Scene) -> Answer:
    everything = [c.wire for c in scene.platform.conversations.values() if not c.vanished]
    return _listed(answer, lambda _: everything)


def _seem_active(answer: Answer, scene: Scene) -> Answer:
    address = scene.call.query.get("participant_address", "")
    stale = scene.platform.conversations_of(address)
    return _listed(
        answer, lambda _: [{**c.wire, "status": "active", "archived": False} for c in stale]
    )


def _listed(answer: Answer, change: Callable[[list[Json]], list[Json]]) -> Answer:
    return replace(answer, body=change(answer.body)) if isinstance(answer.body, list) else answer


def _drop_metadata(answer: Answer, _: Scene) -> Answer:
    messages = tuple(replace(m, wire=_omit(m.wire, "metadata")) for m in answer.changes.messages)
    body = _each(answer.body, lambda item: _omit(item, "metadata"))
    return replace(answer, body=body, changes=replace(answer.changes, messages=messages))


def _drop_properties(answer: Answer, _: Scene) -> Answer:
    bare = tuple(replace(c, wire=_bare(c.wire)) for c in answer.changes.conversations)
    changes = replace(answer.changes, conversations=bare)
    return replace(answer, body=_each(answer.body, _bare), changes=changes)


def _bare(conversation: Json) -> Json:
    participants = [_omit(p, "properties") for p in conversation.get("participants", ())]
    return {**conversation, "participants": participants}


def _ignore(answer: Answer, scene: Scene) -> Answer:
    there = scene.platform.conversations.get(scene.call.conversation_id or "")
    return replace(answer, changes=NO_CHANGES, body=there.wire if there else answer.body)


def _clear_routing(answer: Answer, _: Scene) -> Answer:
    cleared = tuple(
        replace(c, wire={**c.wire, "routing": {}}) for c in answer.changes.conversations
    )
    body = cleared[-1].wire if cleared else answer.body
    return replace(answer, body=body, changes=replace(answer.changes, conversations=cleared))


def _expires_in(answer: Answer, scene: Scene) -> Answer:
    bare = _omit(answer.body, "expires_in")
    value = scene.fault.value
    return replace(answer, body=bare if value is None else {**bare, "expires_in": value})


def _early(answer: Answer, _: Scene) -> Answer:
    deliveries = tuple(replace(d, before_answer=True) for d in answer.changes.deliveries)
    return replace(answer, changes=replace(answer.changes, deliveries=deliveries))


def _no_refresh_token(answer: Answer, _: Scene) -> Answer:
    return replace(answer, body=_omit(answer.body, "refresh_token"))


_DISTORTIONS: dict[str, Callable[[Answer, Scene], Answer]] = {
    "status": _status,
    "late": _status,
    "redirect": _redirect,
    "garbage": _body(b"<html><body>It works!</body></html>"),
    "empty": _body(b""),
    "error_body": _error_body,
    "no_id": _ids(_omit),
    "wrong_id": _ids(lambda item, name: {**item, name: 12345}),
    "lag": _lag,
    "page": _page,
    "first_page": _first_page,
    "reorder": _reorder,
    "unfiltered": _unfiltered,
    "seem_active": _seem_active,
    "drop_metadata": _drop_metadata,
    "drop_properties": _drop_properties,
    "ignore": _ignore,
    "clear_routing": _clear_routing,
    "expires_in": _expires_in,
    "no_refresh_token": _no_refresh_token,
    "early": _early,
}
