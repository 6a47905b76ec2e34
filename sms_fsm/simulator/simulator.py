"""The simulator as tests, the demo and the ``simulator`` command hold it."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sms_fsm.simulator import acts, oracle
from sms_fsm.simulator.admin import Administration
from sms_fsm.simulator.carrier import Carrier, CarrierPlan, Word, carrier_status
from sms_fsm.simulator.conversations import new_conversation
from sms_fsm.simulator.desk import Desk, Reply
from sms_fsm.simulator.faults import Fault, FaultPlan
from sms_fsm.simulator.ledger import Entry, Ledger, Source
from sms_fsm.simulator.platform import Clock, Platform, real_clock
from sms_fsm.simulator.postman import Postman
from sms_fsm.simulator.records import Changes, Json, Origin, Webhook, wire_time
from sms_fsm.simulator.server import HttpServer
from sms_fsm.simulator.tokens import SCOPES, Authority
from sms_fsm.simulator.webhooks import CallbackReceiver, Sender, Signer, UrlReceiver
from sms_fsm.simulator.wire import Call

Callback = Callable[[bytes, dict[str, str]], int]


class Simulator:
    """A CXone that holds to the wire contract, with faults on request. Thread-safe.

    Args:
        clock: rules token ages, time stamps, lag and lateness; default: the real time.
        seed: all chance comes from it.
        scopes: what tokens can be granted at most.
        carrier: how carriers treat messages that no script is for.
        callback: takes webhooks in this process and gives an HTTP status; or
        webhook_url: takes them by POST.
        webhook_secret: signs them as Standard Webhooks do.
        ledger_path: a file that keeps everything; state is rebuilt from what it holds.
        settle_seconds: ``late`` faults draw their delay below it.
        auto_deliver: callbacks go out by themselves, shortly after each post; otherwise
            ``deliver`` sends them.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        client_id: str = "demo-client",
        client_secret: str = "demo-secret",  # noqa: S107 - of a simulated tenant
        token_lifetime_seconds: int = 3600,
        scopes: Iterable[str] = SCOPES,
        carrier: CarrierPlan | None = None,
        callback: Callback | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        ledger_path: Path | str | None = None,
        settle_seconds: float = 60.0,
        auto_deliver: bool = False,
    ) -> None:
        ledger = Ledger(Path(ledger_path) if ledger_path else None)
        authority = Authority(client_id, client_secret, token_lifetime_seconds, frozenset(scopes))
        self._platform = Platform(clock or real_clock, ledger)
        self._faults = FaultPlan(random.Random(seed))  # noqa: S311 - a simulation
        self._carrier = Carrier(carrier or CarrierPlan(), seed, self._platform.outbound())
        self._sender = Sender(self._platform, self._faults, Signer(webhook_secret), None)
        self._desk = Desk(self._platform, authority, self._faults, self._carrier, settle_seconds)
        self._postman = Postman(self._platform, self._sender, self._faults.draw)
        self._auto_deliver = auto_deliver
        self._texts = itertools.count(1)
        self._server: HttpServer | None = None
        self.send_webhooks_to(callback or webhook_url)

    # --- serving ---

    @property
    def url(self) -> str:
        """Base URL while serving.

        Raises:
            RuntimeError: it does not serve.
        """
        if self._server is None:
            raise RuntimeError("the simulator is not serving")
        return self._server.url

    def start(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Serves from threads; gives the base URL. ``port`` 0 picks a free one."""
        self._server = HttpServer(
            (host, port),
            handle=self._handle,
            administer=Administration(self).answer,
            connect=self._desk.connect,
        )
        self._server.start()
        if self._auto_deliver:
            self._postman.start()
        return self.url

    def stop(self) -> None:
        """Hangs up on everybody. State stays: ``start`` goes on with it."""
        self._postman.stop()
        if self._server:
            self._server.stop()
            self._server = None

    @contextmanager
    def serve(self, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
        """Serves inside a ``with``; gives the base URL."""
        try:
            yield self.start(port, host)
        finally:
            self.stop()

    def refuse(self, seconds: float, label: str = "refuse") -> None:
        """Hangs up on everybody and takes no connection for so long; counted under ``label``.

        Raises:
            RuntimeError: it does not serve.
        """
        parts = urlsplit(self.url)
        entry = Entry(self._platform.now(), "connect", fault=label)
        self.stop()
        self._platform.commit(entry)
        time.sleep(seconds)
        self.start(parts.port or 0, parts.hostname or "")

    def send_webhooks_to(self, target: Callback | str | None) -> None:
        """Webhooks go to this function or URL from now on; None: there are none."""
        if callable(target):
            self._sender.receiver = CallbackReceiver(target)
        else:
            self._sender.receiver = UrlReceiver(target) if target else None

    # --- faults ---

    def fault(self, fault: Fault) -> None:
        """Asks for a fault; several are tried in the order in which they were asked for."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Withdraws all faults."""
        self._faults.clear()

    @property
    def fired(self) -> Counter[str]:
        """How often each fault struck, by its name."""
        return Counter(entry.fault for entry in self.ledger if entry.fault)

    # --- carriers ---

    def carrier_says(
        self,
        which: str | int,
        statuses: Sequence[Word],
        *,
        times: int | None = None,
        copies: int = 1,
        dropped: float = 0.0,
        reordered: bool = False,
        before_answer: bool = False,
    ) -> None:
        """Scripts the carrier for outbound messages whose text contains ``which``, or for the
        n-th one (from 0). The first script that fits and was used less than ``times`` rules.
        """
        words = tuple(carrier_status(word) for word in statuses)
        plan = CarrierPlan(
            statuses=words,
            copies=copies,
            dropped=dropped,
            reordered=reordered,
            before_answer=before_answer,
        )
        with self._platform.lock:
            self._carrier.script(which, plan, times)

    def deliver(self, limit: int | None = None, threads: int = 1) -> int:
        """Sends every pending callback now (at most ``limit`` words of carriers become known),
        from so many threads at once; gives the number of webhooks sent.
        """
        self._desk.settle()
        return self._postman.deliver(limit, threads)

    def report_status(self, message_id: str, conversation_id: str, word: Word) -> None:
        """Sends a delivery.status webhook at once, whether or not there is such a message."""
        now = wire_time(self._platform.now())
        ids = {"message_id": message_id, "conversation_id": conversation_id}
        data = {**ids, **asdict(carrier_status(word)), "direction": "outbound", "timestamp": now}
        self._sender.emit("report_status", "delivery.status", data)

    # --- customers ---

    def customer_texts(
        self, from_: str, to: str, text: str, message_id: str | None = None, **profile: str
    ) -> str:
        """A customer's SMS comes in: sends message.received at once; gives the carrier's id.

        ``profile``: name, external_customer_id, preferred_language.
        """
        message_id = message_id or f"in-{len(self._platform.ledger.entries)}-{next(self._texts)}"
        now = wire_time(self._platform.now())
        data = {"message_id": message_id, "from": from_, "to": to, "text": text, "timestamp": now}
        self._sender.emit("customer_texts", "message.received", {**data, **profile})
        return message_id

    # --- the platform's own doing ---

    def open_conversation(
        self,
        address: str,
        business_address: str | None = None,
        routing: Mapping[str, object] | None = None,
        *,
        archived: bool = False,
        status: str | None = None,
        client_reference: str | None = None,
    ) -> str:
        """A conversation that is there without a client's call; gives its id."""
        known = {"business_address": business_address, "client_reference": client_reference}
        properties = {name: value for name, value in known.items() if value is not None}
        customer = {"role": "customer", "address": address, "address_type": "phone"}
        body: Json = {
            "participants": [{**customer, "properties": properties}],
            "routing": dict(routing or {}),
            "status": status or ("archived" if archived else "active"),
        }
        with self._platform.lock:
            conversation = new_conversation(self._platform, body, Origin.PLATFORM)
            self._commit("open_conversation", lambda: Changes((conversation,)), conversation.id)
        return conversation.id

    def archive(self, conversation_id: str, notify: bool = True) -> None:  # noqa: FBT001, FBT002 - public name
        """Inactivity archives it; ``notify`` sends conversation.archived.

        Raises:
            Refusal: there is no such conversation; so do the next three.
        """
        change = partial(acts.archive, self._platform, conversation_id)
        if not notify:
            self._commit("archive", change, conversation_id)
            return
        data = {"conversation_id": conversation_id, "timestamp": wire_time(self._platform.now())}
        self._sender.emit("archive", "conversation.archived", data, change)

    def close(self, conversation_id: str) -> None:
        """Closes it for good."""
        change = partial(acts.close, self._platform, conversation_id)
        self._commit("close", change, conversation_id)

    def vanish(self, conversation_id: str) -> None:
        """Calls about it answer 404 from now on."""
        change = partial(acts.vanish, self._platform, conversation_id)
        self._commit("vanish", change, conversation_id)

    def assign(
        self,
        conversation_id: str,
        participant_id: str,
        agent_id: str | None = None,
        queue_id: str | None = None,
    ) -> None:
        """The routing engine assigns an agent, and sends conversation.assigned."""
        agent = {"participant_id": participant_id, "role": "agent", "address_type": "agent"}
        given = {"agent_id": agent_id, "queue_id": queue_id}
        routing = {name: value for name, value in given.items() if value is not None}
        change = partial(acts.assign, self._platform, conversation_id, agent, routing)
        ids = {"conversation_id": conversation_id, "participant_id": participant_id}
        data = {**ids, **routing, "timestamp": wire_time(self._platform.now())}
        self._sender.emit("assign", "conversation.assigned", data, change)

    def revoke_tokens(self) -> None:
        """No access token that was issued so far is good any more."""
        self._commit("revoke_tokens", partial(acts.revoke, self._platform))

    # --- looking ---

    @property
    def ledger(self) -> list[Entry]:
        """Everything that happened, in order; what is late and due by now included."""
        self._desk.settle()
        return list(self._platform.ledger.entries)

    @property
    def requests(self) -> list[tuple[str, datetime]]:
        """Operation and time of every call, in order; refused ones too."""
        return [
            (entry.operation, entry.at) for entry in self.ledger if entry.source is Source.REQUEST
        ]

    def count(self, operation: str) -> int:
        """How many calls of an operation there were; refused ones too."""
        return sum(1 for name, _ in self.requests if name == operation)

    @property
    def conversations(self) -> list[Json]:
        """All conversations as the wire shows them, oldest first; vanished ones too."""
        self._desk.settle()
        return [conversation.wire for conversation in self._platform.conversations.values()]

    def conversations_of(self, address: str) -> list[str]:
        """Ids of the conversations with a participant of this address, oldest first."""
        with self._platform.lock:
            return [conversation.id for conversation in self._platform.conversations_of(address)]

    def messages(self, conversation_id: str) -> list[Json]:
        """Messages of a conversation as the wire shows them, oldest first."""
        self._desk.settle()
        return [message.wire for message in self._platform.messages_of(conversation_id)]

    def deliveries(self, conversation_id: str) -> list[Json]:
        """Delivery records of a conversation as the wire shows them, oldest message first."""
        return [delivery.wire for delivery in self._platform.deliveries_of(conversation_id)]

    @property
    def webhooks(self) -> list[Webhook]:
        """Every webhook and how far it came, oldest first."""
        with self._platform.lock:
            return list(self._platform.webhooks.values())

    def judge(self, expected_references: Iterable[str] | None = None) -> oracle.Verdict:
        """What clients lost, doubled, mixed up or broke: see ``Verdict``. A sequence of expected
        references also sets the order to be held within each conversation; a set does not.
        """
        self._desk.settle()
        with self._platform.lock:
            return oracle.judge(self._platform, expected_references)

    def dump(self, entry: Entry) -> Json:
        """A ledger entry as JSON."""
        dumped: Json = json.loads(self._platform.ledger.dump(entry))
        return dumped

    def _handle(self, call: Call) -> Reply:
        reply = self._desk.handle(call)
        self._postman.deliver_at_once(reply.answer.changes.deliveries)
        return reply

    def _commit(
        self, operation: str, change: Callable[[], Changes], conversation_id: str | None = None
    ) -> None:
        with self._platform.lock:
            entry = Entry(self._platform.now(), operation, conversation_id=conversation_id)
            self._platform.commit(replace(entry, changes=change()))
        self._platform.ledger.sync()
