"""The customers' and the platform's side of a run: who texts when, and what the platform does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sms_fsm.simulator import Refusal, Simulator

from .roles import begin
from .scripts import Kind, Script, is_refused
from .site import BUSINESS, Site

Condition = Callable[[], bool]
Course = Iterator[Condition]

_ROUND_SECONDS = 0.02
_PHONES = 4


@dataclass(slots=True)
class Customers:
    """Begins conversations, never more at once than ``window``, and takes each its course.

    ``allowed`` is how many may have begun by now, a window full at least; ``finished`` counts those
    whose texts have all arrived.
    """

    simulator: Simulator
    site: Site
    scripts: Sequence[Script]
    window: int
    allowed: int = 0
    begun: int = 0
    finished: int = 0
    _posted: set[str] = field(default_factory=set)
    _seen: int = 0
    _courses: list[tuple[Course, Condition]] = field(default_factory=list)
    _waiting: list[Script] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _phones: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_PHONES))

    @property
    def at_rest(self) -> bool:
        """Whether all texts of all who have begun have arrived."""
        return self.finished == self.begun

    @property
    def missing(self) -> list[str]:
        """Texts of conversations that are not finished, as far as they have not arrived."""
        return [text for s in self._waiting for text in sorted(s.postable - self._posted)]

    @contextmanager
    def texting(self) -> Iterator[None]:
        """Customers text as long as the ``with`` lasts."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._phones.shutdown()

    def _run(self) -> None:
        while not self._stop.wait(_ROUND_SECONDS):
            self._look()
            self._go_on()
            self._begin_more()

    def _look(self) -> None:
        """What has arrived since the last look."""
        ledger = self.simulator.ledger
        for entry in ledger[self._seen :]:
            self._posted.update(message.text for message in entry.changes.messages)
        self._seen = len(ledger)
        still = [script for script in self._waiting if script.postable - self._posted]
        self.finished += len(self._waiting) - len(still)
        self._waiting = still

    def _go_on(self) -> None:
        going: list[tuple[Course, Condition]] = []
        for course, condition in self._courses:
            following: Condition | None = condition
            if condition():
                following = next(course, None)
            if following is not None:
                going.append((course, following))
        self._courses = going

    def _begin_more(self) -> None:
        allowed = max(self.window, self.allowed)
        room = min(self.window - len(self._waiting), allowed - self.begun)
        room = min(room, len(self.scripts) - self.begun)
        for script in self.scripts[self.begun : self.begun + room]:
            self._waiting.append(script)
            self._courses.append((self._course(script), _at_once))
        if room > 0:
            self.begun += room
            begin(self.site.path, self.begun)

    # Courses: each yields what it waits for

    def _course(self, script: Script) -> Course:
        if script.kind is Kind.TWOFOLD:
            for _ in range(2):
                self.simulator.open_conversation(script.customer, BUSINESS)
        for place, text in enumerate(script.texts):
            if place or script.begins_with_host:
                yield self._before_next_text(script, place)
                self._between(script, place)
            message_id = f"m-{script.number}-{place}"
            self._phones.submit(
                self.simulator.customer_texts, script.customer, BUSINESS, text, message_id
            )

    def _before_next_text(self, script: Script, place: int) -> Condition:
        if script.kind in (Kind.ASLEEP, Kind.CLOSED):
            return lambda: script.texts[place - 1] in self._posted
        if script.kind is Kind.OUTREACH:
            return lambda: script.commands[0].text in self._posted
        if script.kind is Kind.VANISHED:
            return lambda: not script.postable - self._posted
        return _at_once

    def _between(self, script: Script, place: int) -> None:
        """What the platform does between two texts."""
        conversation = self._newest(script)
        if conversation is None or is_refused(script.texts[place]):
            return
        with suppress(Refusal):
            if script.kind is Kind.ASLEEP:
                self.simulator.archive(conversation, notify=script.number % 2 == 0)
            elif script.kind is Kind.CLOSED:
                self.simulator.close(conversation)
            elif script.kind is Kind.OUTREACH:
                self.simulator.assign(conversation, f"agent-{script.number}", "agent-1")

    def _newest(self, script: Script) -> str | None:
        found = self.simulator.conversations_of(script.customer)
        return found[-1] if found else None


def _at_once() -> bool:
    return True
