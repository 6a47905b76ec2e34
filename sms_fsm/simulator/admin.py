"""The simulator's own HTTP routes under ``/simulator/``: what a test in another process needs."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from sms_fsm.simulator.faults import Fault
from sms_fsm.simulator.ledger import Entry
from sms_fsm.simulator.oracle import Verdict
from sms_fsm.simulator.records import Json
from sms_fsm.simulator.wire import Answer, Refusal, refused

_ACTIONS = frozenset(
    {
        "archive",
        "assign",
        "carrier_says",
        "close",
        "customer_texts",
        "deliver",
        "open_conversation",
        "report_status",
        "revoke_tokens",
        "vanish",
    }
)


class Administered(Protocol):
    """What of the simulator is administered beside the actions, which are called by name."""

    @property
    def ledger(self) -> list[Entry]: ...
    @property
    def conversations(self) -> list[Json]: ...
    @property
    def fired(self) -> Mapping[str, int]: ...
    def fault(self, fault: Fault) -> None: ...
    def clear_faults(self) -> None: ...
    def judge(self, expected_references: list[str] | None = None) -> Verdict: ...
    def dump(self, entry: Entry) -> Json: ...


class Administration:
    """``POST`` an action with its arguments as a JSON object; ``GET`` ledger, judge, conversations,
    fired; ``POST``/``DELETE`` faults. Bad arguments are answered 400 with the reason.
    """

    def __init__(self, simulator: Administered) -> None:
        self._simulator = simulator

    def answer(self, method: str, name: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Answers one request."""
        try:
            return self._answer(method, name, query, _arguments(body))
        except Refusal as refusal:
            return refused("", refusal.status, refusal.code, str(refusal))
        except (ValueError, TypeError) as error:
            return refused("", 400, "invalid_request", str(error))

    def _answer(self, method: str, name: str, query: Mapping[str, str], given: Json) -> Answer:
        if method == "POST" and name in _ACTIONS:
            return self._act(getattr(self._simulator, name), given)
        if name == "faults":
            return self._change_faults(method, given)
        looks: dict[str, Callable[[], Any]] = {
            "ledger": lambda: self._ledger(int(query.get("after", "0"))),
            "judge": lambda: asdict(self._simulator.judge(given.get("expected_references"))),
            "conversations": lambda: self._simulator.conversations,
            "fired": lambda: dict(self._simulator.fired),
        }
        if name not in looks:
            raise Refusal(404, "not_found", "there is no such route")
        return Answer(200, looks[name]())

    def _ledger(self, after: int) -> list[Json]:
        return [self._simulator.dump(entry) for entry in self._simulator.ledger[after:]]

    def _change_faults(self, method: str, given: Json) -> Answer:
        if method == "DELETE":
            self._simulator.clear_faults()
            return Answer(204)
        self._simulator.fault(Fault(**given))
        return Answer(201, {})

    def _act(self, action: Callable[..., Any], given: Json) -> Answer:
        if "from" in given:
            given["from_"] = given.pop("from")
        inspect.signature(action).bind(**given)
        return Answer(200, {"result": action(**given)})


def _arguments(body: bytes) -> Json:
    given = json.loads(body or b"{}")
    if not isinstance(given, dict):
        raise Refusal(400, "invalid_request", "the body must be a JSON object")
    return given
