"""The platform's conversations in the guide's dialect of CXone: `ports.Messaging` over HTTP.

There is no method that replaces participants: that orphans the conversation (guide, part 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypeVar

from sms_fsm.clock import Clock
from sms_fsm.conversation import Routing
from sms_fsm.cxone import payloads
from sms_fsm.cxone.auth import TokenProvider
from sms_fsm.cxone.calls import Answer, Call, Kind
from sms_fsm.cxone.deadline import Deadline
from sms_fsm.cxone.failures import translated
from sms_fsm.cxone.refusals import refusal
from sms_fsm.cxone.transport import Transport
from sms_fsm.ports import (
    NewConversation,
    NewMessage,
    RemoteConversation,
    RemoteMessage,
    RemoteStatus,
)

_T = TypeVar("_T")


class CXoneClient:
    """One tenant. Any number of threads may use it at once.

    All calls raise `CXoneError` alone. ``timeout_seconds`` is the whole of a call: getting a
    token, connecting, a repetition after 401 and reading the answer.
    """

    def __init__(self, transport: Transport, tokens: TokenProvider, *, clock: Clock) -> None:
        self._transport = transport
        self._tokens = tokens
        self._clock = clock

    def find_conversations(
        self, customer: str, status: str, *, timeout_seconds: float
    ) -> tuple[RemoteConversation, ...]:
        """Conversations with this customer address, oldest first."""
        call = Call(
            "findConversations",
            "GET",
            ("conversations",),
            query={"channel_type": "sms", "participant_address": customer, "status": status},
        )
        return self._answer(
            call,
            lambda body: payloads.conversations_of(customer, body),
            Deadline.after(timeout_seconds),
        )

    def get_conversation(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> RemoteConversation:
        call = Call("getConversation", "GET", ("conversations", conversation_id))
        return self._answer(call, payloads.conversation, Deadline.after(timeout_seconds))

    def create_conversation(
        self, new: NewConversation, *, timeout_seconds: float
    ) -> RemoteConversation:
        """Every call creates one more: a lost answer is ambiguous."""
        deadline = Deadline.after(timeout_seconds)
        call = Call(
            "createConversation",
            "POST",
            ("conversations",),
            json=payloads.conversation_request(new),
            creates=True,
        )
        return self._answer(call, payloads.conversation, deadline)

    def reactivate(
        self, conversation_id: str, routing: Routing, *, timeout_seconds: float
    ) -> RemoteConversation:
        """Make it active and not archived, with a fresh carrier route. May be repeated."""
        call = Call(
            "updateConversation",
            "PUT",
            ("conversations", conversation_id),
            json=payloads.reactivation_request(routing),
        )
        return self._answer(call, payloads.conversation, Deadline.after(timeout_seconds))

    def update_routing(
        self, conversation_id: str, routing: Routing, *, timeout_seconds: float
    ) -> RemoteConversation:
        """Change queue, agent, skills or priority. May be repeated."""
        call = Call(
            "updateRouting",
            "PUT",
            ("conversations", conversation_id, "routing"),
            json=payloads.routing_request(routing),
        )
        return self._answer(call, payloads.conversation, Deadline.after(timeout_seconds))

    def post_message(
        self, conversation_id: str, new: NewMessage, *, timeout_seconds: float
    ) -> RemoteMessage:
        """Every call posts one more: a lost answer is ambiguous."""
        deadline = Deadline.after(timeout_seconds)
        call = Call(
            "postMessage",
            "POST",
            ("conversations", conversation_id, "messages"),
            json=payloads.message_request(new),
            creates=True,
        )
        return self._answer(call, payloads.message, deadline)

    def list_messages(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> Iterator[RemoteMessage]:
        """Oldest first, to the very end. Never used to judge delivery.

        All but the first page are fetched while messages are taken, which may raise, too.
        ``timeout_seconds`` is the whole of it.
        """
        deadline = Deadline.after(timeout_seconds)
        page = self._messages_after(None, conversation_id, deadline)
        return self._to_the_end(page, conversation_id, deadline)

    def delivery_statuses(
        self, conversation_id: str, *, timeout_seconds: float
    ) -> tuple[RemoteStatus, ...]:
        """The carriers' newest word on each outbound message."""
        call = Call(
            "listDeliveryStatus",
            "GET",
            ("delivery-status",),
            query={"conversation_id": conversation_id, "direction": "outbound"},
        )
        return self._answer(call, payloads.statuses, Deadline.after(timeout_seconds))

    def scopes_missing(self, *, timeout_seconds: float = 10) -> tuple[str, ...]:
        """The scopes asked for that the token endpoint did not grant, in their order."""
        return self._tokens.scopes_missing(timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Close idle connections. The client can still be used."""
        self._transport.close()

    def _to_the_end(
        self, page: tuple[RemoteMessage, ...], conversation_id: str, deadline: Deadline
    ) -> Iterator[RemoteMessage]:
        """Every message once. The platform may cut its list anywhere: only nothing new is the end.

        Whoever looks for a lost post would take a cut for its absence, and post it twice.
        """
        seen: set[str] = set()
        while new := [message for message in page if message.message_id not in seen]:
            yield from new
            seen.update(message.message_id for message in new)
            page = self._messages_after(page[-1].message_id, conversation_id, deadline)

    def _messages_after(
        self, last: str | None, conversation_id: str, deadline: Deadline
    ) -> tuple[RemoteMessage, ...]:
        """Some messages later than this one, or from the first on."""
        call = Call(
            "listMessages",
            "GET",
            ("conversations", conversation_id, "messages"),
            query=None if last is None else {"after": last},
        )
        return self._answer(call, lambda body: payloads.messages_after(last, body), deadline)

    def _answer(self, call: Call, read: Callable[[bytes], _T], deadline: Deadline) -> _T:
        answer = self._sent(call, deadline)
        if answer.kind != Kind.SUCCESS:
            raise refusal(call, answer, self._clock())
        return translated(call, lambda: read(answer.body), answer.status)

    def _sent(self, call: Call, deadline: Deadline) -> Answer:
        """A 401 was not applied, so the call is repeated once, with another token."""
        token = self._tokens.current(timeout_seconds=deadline.rest)
        answer = self._transport.send(call, deadline, token)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        token = self._tokens.renew(token, timeout_seconds=deadline.rest)
        return self._transport.send(call, deadline, token)
