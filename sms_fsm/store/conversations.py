"""Conversations: found, made and locked, and whether the customer wants their texts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from sms_fsm.conversation import Conversation
from sms_fsm.ports import Page
from sms_fsm.store import statements as sql
from sms_fsm.store.database import Conflict
from sms_fsm.store.driver import Statement
from sms_fsm.store.rows import locked_conversation
from sms_fsm.store.statements import CONVERSATION, OPT_OUT
from sms_fsm.store.transaction import Held, Transaction, as_json

_INTRODUCE = Statement(
    lambda _: (
        update(CONVERSATION)
        .where(CONVERSATION.c.id == bindparam("key"))
        .values(
            profile=bindparam("profile"), external_customer_id=bindparam("external_customer_id")
        )
    )
)
_HOLDER = Statement(
    lambda _: select(CONVERSATION.c.id).where(
        CONVERSATION.c.conversation_id == bindparam("conversation_id")
    )
)
_THESE_NUMBERS = (OPT_OUT.c.customer == bindparam("customer")) & (
    OPT_OUT.c.business == bindparam("business")
)
_OPTED_OUT = Statement(lambda _: select(OPT_OUT.c.customer).where(_THESE_NUMBERS))
_OPT_OUT = Statement(
    lambda dialect: (
        dialect.insert(OPT_OUT)
        .values({column: bindparam(column.name) for column in OPT_OUT.c})
        .on_conflict_do_nothing()
        .returning(OPT_OUT.c.customer)
    )
)
_OPT_IN = Statement(lambda _: delete(OPT_OUT).where(_THESE_NUMBERS).returning(OPT_OUT.c.customer))


class Conversations(Transaction):
    """The conversations' part of a unit of work."""

    def lock(self, conversation: str) -> Conversation | None:
        """The conversation without its texts, held until the transaction ends."""
        held = self._held.get(conversation)
        if held is not None:
            return held.conversation
        return self._lock(sql.LOCK, {"id": conversation})

    def lock_pair(self, customer: str, business: str, isolation: str) -> Conversation | None:
        """The one conversation of this pair, held until the transaction ends."""
        pair = (customer, business, isolation)
        if pair in self._pairs:
            return self._held[self._pairs[pair]].conversation
        values = {"customer": customer, "business": business, "isolation": isolation}
        return self._lock(sql.LOCK_PAIR, values)

    def _lock(self, locking: sql.Locking, values: dict[str, str]) -> Conversation | None:
        """Lock one that was not fetched ahead.

        Among others it would be out of their common order: to wait for it could be to wait for
        somebody who waits for one of them.
        """
        row = self._driver.first(locking.try_ if self._among_others else locking.wait, values)
        if row is not None:
            return self._hold(row)
        if self._among_others and self._driver.first(locking.exists, values) is not None:
            raise Conflict
        return None

    def pinned(
        self, behaviour_hash: str, after: tuple[str, str], limit: int, *, wait: bool
    ) -> Page:
        """Up to ``limit`` conversations that run on a graph, by state and id after this pair.

        Those that another transaction holds are waited for or left out.
        """
        self._flush()
        state, identity = after
        values = {"graph_hash": behaviour_hash, "state": state, "id": identity, "limit": limit}
        rows = self._driver.all(sql.PINNED if wait else sql.PINNED_IDLE, values)
        found = [locked_conversation(row).conversation for row in rows]
        last = found[-1] if len(found) == limit else None
        return Page(
            tuple(self._hold(row) for row in rows),
            None if last is None else (last.state, last.id),
        )

    def create(self, conversation: Conversation, now: datetime) -> Conversation:
        """A new conversation; another transaction that creates the same pair conflicts."""
        moment = self._driver.instant(now)
        self._buffer.new_conversations[conversation.id] = {
            "id": conversation.id,
            "customer": conversation.customer,
            "business": conversation.business,
            "isolation": conversation.isolation,
            "external_customer_id": conversation.external_customer_id,
            "profile": _profile(conversation),
            "conversation_id": None,
            "state": conversation.state,
            "graph_version": conversation.graph_version,
            "graph_hash": conversation.graph_hash,
            "seq": 0,
            "data": as_json(conversation.to_data()),
            "lane_head": None,
            "log_hash": "",
            "timer_due_at": None,
            "state_since": moment,
            "created_at": moment,
        }
        return self._keep(conversation, Held(conversation, None, "", now))

    def introduce(self, conversation: Conversation) -> None:
        """Store what the customer newly told of themselves."""
        self._flush()
        self._held[conversation.id].conversation = conversation
        row = {
            "key": conversation.id,
            "profile": _profile(conversation),
            "external_customer_id": conversation.external_customer_id,
        }
        self._driver.run(_INTRODUCE, [row])

    def with_conversation_id(self, conversation_id: str) -> str | None:
        """The engine's id of the conversation that holds this CXone conversation."""
        self._write_conversations()
        row = self._driver.first(_HOLDER, {"conversation_id": conversation_id})
        return None if row is None else row[0]

    def held_by_others(self, conversation: str, conversation_ids: Iterable[str]) -> frozenset[str]:
        """Those CXone conversations that another pair holds."""
        holders = {remote: self.with_conversation_id(remote) for remote in conversation_ids}
        return frozenset(
            remote for remote, holder in holders.items() if holder not in (None, conversation)
        )

    def opted_out(self, conversation: Conversation) -> bool:
        """Whether the customer wants no texts from this business number."""
        return self._driver.first(_OPTED_OUT, _numbers(conversation)) is not None

    def opt_out(self, conversation: Conversation, source: str, now: datetime) -> bool:
        """Mark the customer; False if that was so already."""
        row = {**_numbers(conversation), "source": source, "at": self._driver.instant(now)}
        return self._driver.first(_OPT_OUT, row) is not None

    def opt_in(self, conversation: Conversation) -> bool:
        """Take the mark away; False if there was none."""
        return self._driver.first(_OPT_IN, _numbers(conversation)) is not None


def _profile(conversation: Conversation) -> str:
    return as_json(
        {
            "name": conversation.name,
            "preferred_language": conversation.preferred_language,
        }
    )


def _numbers(conversation: Conversation) -> dict[str, str]:
    return {"customer": conversation.customer, "business": conversation.business}
