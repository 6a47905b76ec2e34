"""The public face, and the one place where everything is put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self, TextIO

import orjson

from sms_fsm import cxone, sms
from sms_fsm.clock import Clock, in_utc, system_clock
from sms_fsm.config import Settings
from sms_fsm.conversation import Conversation
from sms_fsm.dispatch import Dispatcher, Surroundings
from sms_fsm.effects import Effect
from sms_fsm.errors import InvalidMessage, SettingsError, UnknownConversation
from sms_fsm.graph import StateGraph, default_graph, load_graph_file
from sms_fsm.intake import Intake
from sms_fsm.listeners import Listeners
from sms_fsm.log import LoggedEvent, sealed_lines
from sms_fsm.machine import Step
from sms_fsm.machines import Machines
from sms_fsm.messages import (
    DeliveryStatus,
    FailedMessage,
    InboundMessage,
    Receipt,
    check_count,
    check_instant,
    check_optional,
    is_id,
)
from sms_fsm.migrate import Migrated, Migrator, OnProgress
from sms_fsm.ports import Messaging
from sms_fsm.recorder import Recorder
from sms_fsm.registry import IsolationRule, Registry
from sms_fsm.store import (
    Bell,
    Board,
    CarrierFigures,
    Database,
    Queries,
    Repository,
    SqlTokenStore,
    check_writable,
    open_database,
    schema_is_current,
    upgrade,
)
from sms_fsm.webhook import Ingress, WebhookReply

_CONNECTIONS_BESIDE_WORKERS = 4
_CALLBACK_WAIT_SECONDS = 0.8
"""How long a callback waits for the store: its sender must have an answer within two seconds."""
_LARGEST_PAGE = 1000
_PROGRESS_EVERY = 1000


class Engine:
    """Takes events in, carries effects out, shows what happened.

    Safe from any number of threads; any number of engines, processes and hosts may share one
    Postgres, any number of processes one SQLite file. Make one with `from_settings`.
    """

    def __init__(
        self,
        *,
        databases: tuple[Database, ...],
        intake: Intake,
        dispatcher: Dispatcher,
        ingress: Ingress,
        queries: Queries,
        platform: Messaging,
        machines: Machines,
        clock: Clock,
        listeners: Listeners,
    ) -> None:
        self._databases = databases
        self._intake = intake
        self._dispatcher = dispatcher
        self._ingress = ingress
        self._platform = platform
        self._machines = machines
        self._listeners = listeners
        self._queries = queries
        self.board = Board(databases[0])
        """Reading for operators: pages by key, and counts with a bound."""
        self.now = clock
        """The present as the engine has it."""

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        fallback: Callable[[FailedMessage], None] | None = None,
        carrier_lookup: Callable[[str], str] | None = None,
        registry: Registry | None = None,
        platform: Messaging | None = None,
    ) -> Self:
        """An engine; an SQLite schema is brought up to date, a Postgres one must be.

        Args:
            clock: gives the present as an aware ``datetime`` of any zone; it rules due times,
                windows and token age.
            fallback: the other channel for texts that carriers failed for good; it is called
                once for each, and again with the same key if it crashed or raised.
            carrier_lookup: names the present carrier profile of a number.
            registry: the host's own guards, actions, effects and isolation rule.
            platform: stands in for CXone, such as `sms_fsm.testing.FakePlatform`; then no
                credentials are needed.

        Raises:
            SettingsError: names every setting that is missing or wrong; the clock is naive.
            GraphError: everything that is wrong with the graph, or its version was used for
                another behaviour.
            StoreUnavailable: the store cannot be reached.
        """
        if platform is None:
            settings.require_platform()
        clock = in_utc(clock or system_clock)
        registry = registry or Registry()
        graph = load_graph(settings, registry)
        database = open_store(settings)
        told = Listeners()
        repository = Repository(database, told)
        with ExitStack() as undo:
            undo.callback(database.close)
            repository.register_graph(graph, clock())
            undo.pop_all()
        machines = Machines(graph, registry, repository.graph_document)
        recorder = Recorder(
            machines,
            clock,
            fallback=fallback is not None,
            dedupe_window=timedelta(seconds=settings.dedupe_window_seconds),
        )
        take_in = partial(
            Intake,
            recorder=recorder,
            machines=machines,
            settings=settings,
            clock=clock,
            isolation=_isolation(graph, registry),
        )
        hurried = _open_hurried(settings, database)
        platform = platform or cxone.connect(
            settings, clock=clock, token_store=SqlTokenStore(database)
        )
        queries = Queries(database)
        around = Surroundings(
            platform=platform,
            settings=settings,
            clock=clock,
            held_by_others=queries.held_by_others,
            posted_in=queries.posted_in,
            logged=queries.logged,
            carrier_lookup=carrier_lookup,
            fallback=fallback,
            handlers=registry.effects,
        )
        bell = Bell(database)
        told.add(bell.hear)
        dispatcher = Dispatcher(repository, recorder, machines, settings, around, bell=bell)
        return cls(
            databases=(database, hurried),
            intake=take_in(repository),
            dispatcher=dispatcher,
            ingress=Ingress(take_in(Repository(hurried, told)), settings.webhook_secrets),
            queries=queries,
            platform=platform,
            machines=machines,
            clock=clock,
            listeners=told,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back. What is stored goes on with the next engine."""
        if isinstance(self._platform, cxone.CXoneClient):  # another one is its maker's to close
            self._platform.close()
        for database in self._databases:
            database.close()

    # Taking in

    def receive(self, message: InboundMessage) -> Receipt:
        """Take a customer's SMS in; it is stored when this returns.

        Raises:
            InvalidMessage, InvalidAddress: names the field and the reason; nothing was stored.
            StoreUnavailable: nothing was stored, call again.
        """
        return self._intake.receive(message)

    def initiate(
        self, *, to: str, from_: str, text: str, key: str, external_customer_id: str | None = None
    ) -> Receipt:
        """Send a text that starts from the business, in the open conversation if there is one.

        ``key`` is unique within the engine; the same key twice is one message.

        Raises:
            InvalidMessage, InvalidAddress, KeyReused, TransitionRefused, StoreUnavailable.
        """
        return self._intake.initiate(
            to=to, from_=from_, text=text, key=key, external_customer_id=external_customer_id
        )

    def reply(
        self,
        conversation: str,
        text: str,
        *,
        key: str,
        participant_id: str | None = None,
        on_behalf_of: str | None = None,
        internal_note: bool = False,
    ) -> Receipt:
        """Send a text in a conversation, or leave an internal note.

        ``key`` is unique within the conversation; the same key twice is one message. Without
        ``participant_id`` the agent last assigned is used. A note moves no state and has no
        segments, retry or fallback.

        Raises:
            UnknownConversation, InvalidMessage, KeyReused, TransitionRefused, StoreUnavailable.
        """
        return self._intake.reply(
            conversation,
            text,
            key=key,
            participant_id=participant_id,
            on_behalf_of=on_behalf_of,
            internal_note=internal_note,
        )

    def transfer(
        self,
        conversation: str,
        *,
        key: str,
        queue_id: str | None = None,
        agent_id: str | None = None,
        skills: tuple[str, ...] | list[str] | None = None,
        priority: int | None = None,
        transfer_type: str = "warm",
    ) -> Receipt:
        """Hand a conversation over, by a routing update alone.

        Raises:
            UnknownConversation, InvalidMessage, KeyReused, TransitionRefused, StoreUnavailable.
        """
        return self._intake.transfer(
            conversation,
            key=key,
            queue_id=queue_id,
            agent_id=agent_id,
            skills=skills,
            priority=priority,
            transfer_type=transfer_type,
        )

    def record(self, status: DeliveryStatus) -> Receipt:
        """Take a carrier's word on one message in; of an unknown one it is kept for 7 days.

        Raises:
            InvalidMessage, StoreUnavailable.
        """
        return self._intake.record(status)

    def archive(
        self,
        conversation: str | None = None,
        *,
        conversation_id: str | None = None,
        key: str | None = None,
    ) -> Receipt:
        """Archive by hand (the engine's id), or by the platform's word (CXone's id).

        Raises:
            UnknownConversation, InvalidMessage, KeyReused, TransitionRefused, StoreUnavailable.
        """
        if (conversation is None) == (conversation_id is None):
            raise InvalidMessage(
                "conversation", "give conversation or conversation_id, one of them"
            )
        if conversation_id is not None:
            return self._intake.archived(conversation_id=conversation_id)
        return self._intake.archive(str(conversation), key=key)

    def webhook(self, body: bytes, headers: Mapping[str, str]) -> WebhookReply:
        """Take a callback of CXone in: verified, parsed and stored before it is answered."""
        return self._ingress.webhook(body, headers)

    @property
    def verifies_webhooks(self) -> bool:
        """Whether callbacks must be signed."""
        return self._ingress.verifies

    # Carrying out

    def drain(self, *, limit: int | None = None) -> int:
        """Carry out all effects and timers that are due now; gives how many.

        Includes what they plan that is due at once. Never sleeps for a due time.

        Raises:
            InvalidMessage: the limit is no whole number from 0.
            StoreUnavailable: what was begun is taken up again by the next drain.
        """
        if limit is not None:
            check_count(limit, "limit", least=0)
        return self._dispatcher.drain(limit=limit)

    def work(self, stop: threading.Event, *, poll_interval: float = 0.5) -> None:
        """Drain until ``stop`` is set.

        What this engine takes in, or another on the same Postgres, is taken up at once; for due
        times, and on SQLite for what other processes take in, it looks every ``poll_interval``
        seconds.
        """
        self._dispatcher.work(stop, poll_interval=poll_interval)

    def retry(self, effect_id: str, *, actor: str | None = None, reason: str | None = None) -> None:
        """Give a dead letter another go; the log keeps who did it and why.

        Raises:
            UnknownEffect: no dead letter has this id.
            InvalidMessage: the actor or the reason is empty or too long.
        """
        self._intake.retry(effect_id, actor=actor, reason=reason)

    def watch(self, listener: Callable[[Step], None]) -> None:
        """Have ``listener`` told of each step that this engine makes, after its commit.

        It is called in the thread that made the step, so it must be quick. Steps of other
        processes are not told.
        """
        self._listeners.add(listener)

    def migrate(self, on_progress: OnProgress | None = None) -> Migrated:
        """Move all live conversations to the graph that new ones run on; everybody works on.

        What a crash or `StoreUnavailable` cuts short goes on when this is called again.
        ``on_progress`` hears how many have moved, and of how many.

        Raises:
            GraphError: why they cannot move, all reasons at once; then none has.
            StoreUnavailable: call again.
        """
        database = self._databases[0]
        repository = Repository(database, self._listeners)
        migrator = Migrator(repository, Queries(database), self._machines, self.now)
        return migrator.run(on_progress)

    # Looking

    def check_store(self) -> None:
        """Whether callbacks could be stored now; changes nothing.

        Raises:
            StoreUnavailable: they could not, and why.
        """
        check_writable(self._databases[-1])

    @property
    def graph(self) -> StateGraph:
        """The graph that new conversations run on."""
        return self._machines.current.graph

    def graph_of(self, conversation: Conversation) -> StateGraph:
        """The graph that a conversation runs on."""
        return self._machines.of(conversation).graph

    def conversation(self, id: str) -> Conversation:  # noqa: A002 - the contract's name
        """A conversation with its messages.

        Raises:
            UnknownConversation: there is none with this id.
        """
        found = self._queries.conversation(id) if is_id(id) else None
        if found is None:
            raise UnknownConversation("no conversation has this id")
        return found

    def find(
        self,
        *,
        customer: str | None = None,
        business: str | None = None,
        external_customer_id: str | None = None,
    ) -> Conversation | None:
        """The newest conversation that fits all that is given, or None.

        Raises:
            InvalidMessage, InvalidAddress: nothing was given, or no number.
        """
        if customer is None and business is None and external_customer_id is None:
            raise InvalidMessage("customer", "give customer, business or external_customer_id")
        return self._queries.find(
            None if customer is None else sms.normalise(customer, "customer"),
            None if business is None else sms.normalise(business, "business"),
            check_optional(external_customer_id, "external_customer_id"),
        )

    def conversations(
        self, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> list[Conversation]:
        """A page of conversations without their messages, oldest first; ``after`` is an id.

        Raises:
            InvalidMessage: the limit is not between 1 and 1000, or another argument is no name.
        """
        check_optional(state, "state")
        check_optional(after, "after")
        check_count(limit, "limit", least=1, most=_LARGEST_PAGE)
        return list(self._queries.conversations(state, after, limit))

    def history(self, id: str) -> list[LoggedEvent]:  # noqa: A002 - the contract's name
        """Everything that happened to a conversation, oldest first.

        Raises:
            UnknownConversation: there is none with this id.
        """
        events = list(self._queries.history(id)) if is_id(id) else []
        if not events:
            raise UnknownConversation("no conversation has this id")
        return events

    def dead_letters(self) -> list[Effect]:
        """Effects that gave up, why, and after how many attempts."""
        return list(self._queries.dead_letters())

    def carriers(self) -> list[CarrierFigures]:
        """Repeated callbacks, deliveries and failures by carrier profile."""
        return list(self._queries.carriers())

    def export_log(
        self, file: TextIO, *, conversation: str | None = None, since: datetime | None = None
    ) -> int:
        """Write the event log as JSON Lines, with the graphs that it needs; gives its events.

        Raises:
            UnknownConversation: there is none with this id.
            InvalidMessage: ``since`` is no time with its zone.
        """
        if conversation is not None:
            self.conversation(conversation)
        since = check_instant(since, "since")
        return export_log(self._queries, file, conversation=conversation, since=since)


def export_log(
    queries: Queries,
    file: TextIO,
    *,
    conversation: str | None = None,
    since: datetime | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Graph documents first, then every event by conversation and number; gives the events.

    ``on_progress`` hears how many were written, now and then.
    """
    for identity, version, behaviour_hash, document in queries.graphs():
        graph = {"id": identity, "version": version, "hash": behaviour_hash, "document": document}
        file.write(orjson.dumps({"graph": graph}).decode() + "\n")
    count = 0
    lines = sealed_lines(queries.log(conversation=conversation, since=since))
    for count, line in enumerate(lines, 1):
        file.write(line + "\n")
        if on_progress is not None and count % _PROGRESS_EVERY == 0:
            on_progress(count)
    return count


def migrator(database: Database, graph: StateGraph, registry: Registry) -> Migrator:
    """What moves a store's conversations to a graph."""
    repository = Repository(database)
    machines = Machines(graph, registry, repository.graph_document)
    return Migrator(repository, Queries(database), machines, system_clock)


def load_graph(settings: Settings, registry: Registry) -> StateGraph:
    """The settings' graph, or the one that comes with the package.

    Raises:
        GraphError: everything that is wrong with it.
    """
    if settings.graph is None:
        return default_graph(registry.names)
    return load_graph_file(settings.graph, registry.names)


def open_store(settings: Settings) -> Database:
    """The settings' store; SQLite is brought up to date on the way.

    Raises:
        SettingsError: the URL cannot be used, or a Postgres schema is not up to date.
        StoreUnavailable: the store cannot be reached.
    """
    database = open_database(
        settings.database_url, pool_size=settings.workers + _CONNECTIONS_BESIDE_WORKERS
    )
    if database.is_sqlite:
        upgrade(database)
    elif not schema_is_current(database):
        raise SettingsError("database_url: the schema is not up to date: run `sms-fsm db upgrade`")
    return database


def _open_hurried(settings: Settings, database: Database) -> Database:
    """The same store for callbacks, which cannot wait as long as others can."""
    return open_database(
        settings.database_url,
        pool_size=settings.workers + _CONNECTIONS_BESIDE_WORKERS,
        lock_wait_seconds=_CALLBACK_WAIT_SECONDS,
        beside=database,
    )


def _isolation(graph: StateGraph, registry: Registry) -> IsolationRule | None:
    name = graph.policies.isolation
    return None if name is None else registry.isolations[name]
