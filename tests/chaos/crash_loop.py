"""Many processes on one store, killed at work, against a platform that misbehaves.

The simulator runs in this process, with its ledger in a file; workers, webhook ingress and the
host's software are processes of their own.
"""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from sms_fsm.simulator import CarrierPlan, Sending, Simulator
from sms_fsm.store import open_database

from .crew import Crew, await_that
from .customers import Customers
from .fault_matrix import APPLIED_LATE_SECONDS, standing, wanted
from .nemesis import Nemesis
from .nursery import Nursery
from .plan import Plan
from .report import Report
from .scripts import scripts
from .site import Site, write_hurried_graph
from .stores import Store
from .verdict import Evidence, unfinished, verdict
from .weather import Weather

_SECRET = "whsec_" + "c2VjcmV0" * 4
_TICK_SECONDS = 0.02
_STALLED_SECONDS = 90.0
_DRAIN_SECONDS = 120.0
_STORM_SECONDS = 10.0
_TOKEN_LIFETIME_SECONDS = 20


class CrashLoop:
    """One run of a plan on a store; ``folder`` is empty and the run's own."""

    def __init__(self, plan: Plan, store: Store, folder: Path) -> None:
        write_hurried_graph(folder)
        self._plan = plan
        self._store = store
        self._draw = random.Random(plan.seed)
        self._began = time.monotonic()
        self._stormed = 0
        self._port = _free_port()
        (folder / "ingress-port").write_text(str(self._port))
        self._simulator = Simulator(
            seed=plan.seed,
            token_lifetime_seconds=_TOKEN_LIFETIME_SECONDS,
            carrier=CarrierPlan(failing=0.03),
            webhook_url=f"http://127.0.0.1:{self._port}/",
            webhook_secret=_SECRET,
            ledger_path=folder / "ledger",
            settle_seconds=APPLIED_LATE_SECONDS,
            auto_deliver=True,
        )
        self._folder = folder

    def run(self) -> Report:
        """The whole run and its verdict."""
        with _reserved(self._port), self._simulator.serve() as url:
            site = self._site(url)
            courses = scripts(site.seed, site.conversations)
            customers = Customers(self._simulator, site, courses, window=self._plan.window)
            with Nursery(site) as nursery:
                crew = Crew(site, nursery, self._draw)
                nemesis = Nemesis(self._plan, crew, self._store, self._draw, self._posted)
                self._go_through(customers, crew, nemesis)
                drained = self._await_rest(site, nemesis)
                crew.stop()
            return self._judge(site, customers, crew, nemesis, drained)

    def _site(self, url: str) -> Site:
        return Site(
            folder=str(self._folder),
            database_url=self._store.url,
            cxone_url=url,
            webhook_secret=_SECRET,
            token_key=Fernet.generate_key().decode(),
            threads=self._plan.threads,
            conversations=self._plan.most_conversations,
            seed=self._plan.seed,
        )

    def _go_through(self, customers: Customers, crew: Crew, nemesis: Nemesis) -> None:
        """Customers text, faults strike and processes crash until everything has arrived."""
        for fault in standing():
            self._simulator.fault(fault)
        crew.start("host", 1)
        crew.start("ingress", self._plan.ingresses)
        with customers.texting():
            self._storm()
            crew.start("worker", self._plan.workers)
            self._rage(customers, nemesis)
        self._simulator.clear_faults()

    def _storm(self) -> None:
        """The first customers all text while no worker runs (F28)."""
        await_that(lambda: self._accepted() >= self._plan.window, _STORM_SECONDS)
        self._stormed = self._accepted()

    def _accepted(self) -> int:
        return sum(hook.sending is Sending.ACCEPTED for hook in self._simulator.webhooks)

    def _rage(self, customers: Customers, nemesis: Nemesis) -> None:
        weather = Weather(
            self._simulator, wanted(self._plan.usual, self._plan.ambiguous), self._draw
        )
        moved, since = 0, time.monotonic()
        while time.monotonic() - since < _STALLED_SECONDS:
            time.sleep(_TICK_SECONDS)
            through = nemesis.through and weather.through
            customers.allowed = self._allowed(customers, nemesis, through=through)
            if customers.at_rest and customers.begun >= customers.allowed:
                return
            progress = min(customers.begun / self._plan.conversations, 1)
            weather.blow(progress)
            nemesis.act(progress)
            if customers.finished + nemesis.done.total() != moved:
                moved, since = customers.finished + nemesis.done.total(), time.monotonic()

    def _allowed(self, customers: Customers, nemesis: Nemesis, *, through: bool) -> int:
        """How many conversations may have begun: crashes must find work, and faults their calls."""
        most = self._plan.conversations if through else self._plan.most_conversations
        done = customers.begun if customers.at_rest else self._plan.conversations * nemesis.reach
        return int(min(most, self._plan.window + done))

    def _posted(self) -> int:
        return self._simulator.count("postMessage")

    # The end

    def _await_rest(self, site: Site, nemesis: Nemesis) -> float | None:
        """Seconds from the last crash until nothing was left to do; None if that takes too long."""
        with closing(open_database(site.settings.database_url)) as database:
            rests = await_that(lambda: unfinished(database) == 0, _DRAIN_SECONDS)
        return time.monotonic() - nemesis.last_at if rests else None

    def _judge(
        self,
        site: Site,
        customers: Customers,
        crew: Crew,
        nemesis: Nemesis,
        drained: float | None,
    ) -> Report:
        seconds = time.monotonic() - self._began
        with site.engine() as engine:
            by_customer = {script.customer: script for script in customers.scripts}
            evidence = Evidence(site, self._simulator, engine, by_customer)
            evidence.gather()
            found = verdict(evidence)
        return Report(
            store=self._store.name,
            plan=self._plan,
            seconds=round(seconds, 1),
            drained_seconds=None if drained is None else round(drained, 1),
            conversations=len(evidence.conversations),
            texts=sum(map(len, evidence.posts.values())),
            calls=dict(Counter(operation for operation, _ in self._simulator.requests)),
            struck=self._struck(),
            acts=dict(nemesis.done),
            killed=dict(crew.killed),
            improper_ends=crew.improper,
            dead_letters=len(evidence.dead),
            recoveries_seconds=tuple(round(seconds, 2) for seconds in nemesis.recoveries),
            findings={**found, "not arrived": tuple(customers.missing)},
        )

    def _struck(self) -> dict[str, int]:
        struck = dict(self._simulator.fired)
        struck["F20"] = self._simulator.count("findConversations")
        struck["F28"] = self._stormed
        return struck


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _reserved(port: int) -> Iterator[None]:
    """A port that stays taken while the processes that share it come and go."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", port))
        yield
