"""What one transaction may do to conversations, their log, the inbox and the outbox.

A conversation is locked before it is changed, so that its events come one after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from sms_fsm.conversation import Message
from sms_fsm.ports import Reads
from sms_fsm.store.ahead import fetch
from sms_fsm.store.conversations import Conversations
from sms_fsm.store.inbox import Inbox
from sms_fsm.store.steps import Steps


class UnitOfWork(Inbox, Conversations, Steps):
    """One transaction; made by the store, thrown away with it."""

    def expect(self, reads: Sequence[Reads]) -> None:
        """Fetch ahead what works are about to read; it is locked from now on."""
        self._among_others = self._driver.is_postgres and len(reads) > 1
        fetched = fetch(self._driver, reads)
        for row in fetched.conversations:
            self._hold(row)
        for conversation, seq, data in fetched.messages:
            self._messages[conversation, seq] = Message.from_data(seq, orjson.loads(data))
        self._keys.update(fetched.keys)
        self._posts.update(fetched.posts)
        self._leases.update(fetched.leases)

    def complete(self) -> None:
        """Write what is left, and let the next effect of each lane go; the last thing to do."""
        self._let_go()
        self._write_conversations(last=True)
