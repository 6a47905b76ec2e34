"""A platform in memory that fulfils `sms_fsm.ports.Messaging`: no HTTP, no waiting, no chance."""
# ruff: noqa: ARG002 - the port names timeout_seconds, and nothing here takes time

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from sms_fsm.conversation import Routing
from sms_fsm.ports import (
    NewConversation,
    NewMessage,
    RemoteConversation,
    RemoteMessage,
    RemoteStatus,
)
from sms_fsm.testing.answers import Answer

T = TypeVar("T")

_OPERATIONS = {
    "find_conversations": "findConversations",
    "get_conversation": "getConversation",
    "create_conversation": "createConversation",
    "reactivate": "updateConversation",
    "update_routing": "updateRouting",
    "post_message": "postMessage",
    "list_messages": "listMessages",
    "delivery_statuses": "listDeliveryStatus",
}
_CREATING = ("create_conversation", "post_message")


@dataclass(frozen=True, slots=True)
class Posted:
    """A text that the platform took."""

    message_id: str
    conversation_id: str
    new: NewMessage


@dataclass(slots=True)
class _Held:
    """A conversation as the platform has it, with its customer's number."""

    remote: RemoteConversation
    customer: str = field(repr=False)


class FakePlatform:
    """CXone for a host's tests: give it to `Engine.from_settings(platform=…)`.

    What it is asked for it does, unless `answer` said otherwise. Safe from any number of threads.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._posted: list[Posted] = []
        self._statuses: dict[str, RemoteStatus] = {}
        self._calls: list[str] = []
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._numbers = count(1)
        self._lock = threading.RLock()

    # What a test asks of it

    def answer(self, call: str, *answers: Answer) -> None:
        """Answer the next calls so, one each; ``call`` is a method's name (``post_message``).

        Raises:
            ValueError: there is no such call.
        """
        if call not in _OPERATIONS:
            raise ValueError(f"call: {call!r} is none of {', '.join(_OPERATIONS)}")
        self._answers[call].extend(answers)

    def archive(self, conversation_id: str) -> None:
        """Inactivity archives it; nobody is told."""
        self._change(conversation_id, archived=True)

    def close(self, conversation_id: str) -> None:
        """It is closed for good; nobody is told."""
        self._change(conversation_id, closed=True)

    def report(self, message_id: str, status: str, *, error_code: str | None = None) -> None:
        """A carrier's word, for those who ask; nobody is told.

        Raises:
            LookupError: no message has this id.
        """
        posted = next((p for p in self._posted if p.message_id == message_id), None)
        if posted is None:
            raise LookupError(f"there is no message {message_id}")
        self._statuses[message_id] = RemoteStatus(
            message_id, posted.conversation_id, status, "outbound", error_code=error_code
        )

    # What it shows

    @property
    def calls(self) -> Sequence[str]:
        """Names of all calls so far, in order, refused ones too."""
        return tuple(self._calls)

    @property
    def conversations(self) -> Sequence[RemoteConversation]:
        """All conversations, oldest first."""
        return tuple(held.remote for held in self._held.values())

    @property
    def posted(self) -> Sequence[Posted]:
        """All texts and notes that it took, in order."""
        return tuple(self._posted)

    # What the engine asks of it: see `sms_fsm.ports.Messaging`

    def find_conversations(
        self, customer: str, status: str, *, timeout_seconds: float
    ) -> Sequence[RemoteConversation]:
        def find() -> Sequence[RemoteConversation]:
            return [
                held.remote
                for held in self._held.values()
                if held.customer == customer and _status(held.remote) == status
            ]

        return self._called("find_conversations", find)

    def get_conversation(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> RemoteConversation:
        return self._called("get_conversation", lambda: self._known(conversation_id).remote)

    def create_conversation(
        self, new: NewConversation, *, timeout_seconds: float
    ) -> RemoteConversation:
        def create() -> RemoteConversation:
            remote = RemoteConversation(
                conversation_id=f"conv-{next(self._numbers)}",
                archived=False,
                closed=False,
                routing=new.routing,
                business_address=new.business,
                client_reference=new.client_reference,
            )
            self._held[remote.conversation_id] = _Held(remote, new.customer)
            return remote

        return self._called("create_conversation", create)

    def reactivate(
        self, conversation_id: str, routing: Routing, *, timeout_seconds: float
    ) -> RemoteConversation:
        def awaken() -> RemoteConversation:
            self._open(conversation_id, "reactivate")
            return self._change(conversation_id, archived=False, routing=routing)

        return self._called("reactivate", awaken)

    def update_routing(
        self, conversation_id: str, routing: Routing, *, timeout_seconds: float
    ) -> RemoteConversation:
        def update() -> RemoteConversation:
            remote = self._awake(conversation_id, "update_routing")
            return self._change(conversation_id, routing=remote.routing.updated(routing))

        return self._called("update_routing", update)

    def post_message(
        self, conversation_id: str, new: NewMessage, *, timeout_seconds: float
    ) -> RemoteMessage:
        def post() -> RemoteMessage:
            self._awake(conversation_id, "post_message")
            posted = Posted(f"msg-{next(self._numbers)}", conversation_id, new)
            self._posted.append(posted)
            return RemoteMessage(posted.message_id, new.client_reference)

        return self._called("post_message", post)

    def list_messages(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> Sequence[RemoteMessage]:
        def listed() -> Sequence[RemoteMessage]:
            self._known(conversation_id)
            return [
                RemoteMessage(posted.message_id, posted.new.client_reference)
                for posted in self._posted
                if posted.conversation_id == conversation_id
            ]

        return self._called("list_messages", listed)

    def delivery_statuses(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> Sequence[RemoteStatus]:
        def known() -> Sequence[RemoteStatus]:
            statuses = self._statuses.values()
            return [status for status in statuses if status.conversation_id == conversation_id]

        return self._called("delivery_statuses", known)

    def _called(self, call: str, act: Callable[[], T]) -> T:
        with self._lock:
            self._calls.append(call)
            answers = self._answers[call]
            answer = answers.popleft() if answers else Answer.OK
            if answer.applied:
                result = act()
                if answer is Answer.OK:
                    return result
            raise answer.error(_OPERATIONS[call], creates=call in _CREATING)

    def _known(self, conversation_id: str, call: str = "get_conversation") -> _Held:
        held = self._held.get(conversation_id)
        if held is None:
            raise Answer.GONE.error(_OPERATIONS[call], creates=False)
        return held

    def _open(self, conversation_id: str, call: str) -> RemoteConversation:
        remote = self._known(conversation_id, call).remote
        if remote.closed:
            raise Answer.CLOSED.error(_OPERATIONS[call], creates=False)
        return remote

    def _awake(self, conversation_id: str, call: str) -> RemoteConversation:
        remote = self._open(conversation_id, call)
        if remote.archived:
            raise Answer.ARCHIVED.error(_OPERATIONS[call], creates=False)
        return remote

    def _change(self, conversation_id: str, **changes: object) -> RemoteConversation:
        held = self._known(conversation_id)
        held.remote = replace(held.remote, **changes)  # type: ignore[arg-type]  # fields of all kinds
        return held.remote


def _status(remote: RemoteConversation) -> str:
    if remote.closed:
        return "closed"
    return "archived" if remote.archived else "active"
