"""Takes a call in: fault, operation, ledger, answer, in this order and one call at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from sms_fsm.simulator import acts
from sms_fsm.simulator.carrier import Carrier
from sms_fsm.simulator.distortions import Scene, distorted
from sms_fsm.simulator.faults import Fault, FaultPlan
from sms_fsm.simulator.ledger import Entry, Source
from sms_fsm.simulator.operations import OPERATIONS, resolved
from sms_fsm.simulator.platform import Platform, real_clock
from sms_fsm.simulator.records import NO_CHANGES, Changes, Late
from sms_fsm.simulator.tokens import Authority, authorise
from sms_fsm.simulator.wire import Answer, Call, Refusal, refused

_UNANSWERED = ("reset", "hang")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the fault that strikes it on its way."""

    answer: Answer
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Desk:
    """The one way into the platform for clients' calls."""

    platform: Platform
    authority: Authority
    faults: FaultPlan
    carrier: Carrier
    settle_seconds: float

    def handle(self, call: Call) -> Reply:
        """Answers a call. What it changed is in the ledger when this returns."""
        with self.platform.lock:
            reply = self._decide(call)
        self.platform.ledger.sync()
        return reply

    def settle(self) -> None:
        """Lets take effect what is late and due by now."""
        with self.platform.lock:
            for late in self.platform.late_due():
                self._apply_late(late)

    def connect(self) -> bool:
        """Whether a new connection is let in."""
        fault = self.faults.pick("connect")
        if fault:
            entry = Entry(self.platform.now(), "connect", fault=fault.name)
            self.platform.commit(entry)
        return fault is None

    def _decide(self, call: Call) -> Reply:
        self.settle()
        fault = self.faults.pick(call.operation, _content(call))
        answer = self._struck(call, fault) if fault else self._answer(call)
        answer = replace(answer, changes=self._scheduled(answer.changes))
        self.platform.commit(self._entry(call, answer, fault))
        return Reply(answer, fault)

    def _answer(self, call: Call) -> Answer:
        try:
            if call.operation == "issueToken":
                return self.authority.issue(self.platform, call)
            operation = resolved(call.operation)
            authorise(self.platform, call, operation.scope)
            return operation.run(self.platform, call)
        except Refusal as refusal:
            return refused(call.operation, refusal.status, refusal.code, str(refusal))

    def _struck(self, call: Call, fault: Fault) -> Answer:
        self._act(call, fault)
        answer = self._answer(call)
        if fault.is_late and answer.changes and call.operation in OPERATIONS:
            late = Changes(late=(self._late(call, fault),))
            answer = replace(answer, changes=late, violation=None)
            answer = replace(answer, message_id=None, client_reference=None)
        elif self.faults.draw.random() >= fault.likely_applied:
            answer = replace(answer, changes=NO_CHANGES, message_id=None, client_reference=None)
        return distorted(answer, Scene(fault, call, self.platform, self.faults.draw))

    def _act(self, call: Call, fault: Fault) -> None:
        """What the platform does just before it looks at the call."""
        try:
            changes = self._act_changes(call, fault)
        except Refusal:
            return  # there is nothing to do it to
        if changes:
            self.platform.commit(Entry(self.platform.now(), fault.kind, changes=changes))

    def _act_changes(self, call: Call, fault: Fault) -> Changes:
        platform, target = self.platform, call.conversation_id
        match fault.kind:
            case "archive":
                return acts.archive(platform, target)
            case "close":
                return acts.close(platform, target)
            case "vanish":
                return acts.vanish(platform, target)
            case "twin":
                return acts.twin(platform, call.query.get("participant_address"))
            case "revoke":
                return acts.revoke(platform)
        return NO_CHANGES

    def _late(self, call: Call, fault: Fault) -> Late:
        seconds = fault.late_seconds
        if seconds is None:
            seconds = self.faults.draw.uniform(0, self.settle_seconds)
        now = real_clock() if fault.real else self.platform.now()
        number = f"late-{len(self.platform.late) + 1}"
        body, due = call.body.decode(), now + timedelta(seconds=seconds)
        return Late(number, call.operation, call.conversation_id, body, due, fault.real)

    def _apply_late(self, late: Late) -> None:
        json = {"content-type": "application/json"}
        call = Call(late.operation, late.conversation_id, {}, json, late.body.encode())
        try:
            answer = OPERATIONS[late.operation].run(self.platform, call)
        except Refusal as refusal:
            answer = refused(late.operation, refusal.status, refusal.code, str(refusal))
        done = Changes(late=(replace(late, done=True),))
        changes = Changes.merged([self._scheduled(answer.changes), done])
        entry = self._entry(call, replace(answer, changes=changes), None)
        self.platform.commit(replace(entry, source=Source.LATE))

    def _scheduled(self, changes: Changes) -> Changes:
        conversations = self.platform.conversations
        stale = {d.conversation_id for d in changes.deliveries
                 if conversations[d.conversation_id].stale_link}  # fmt: skip
        scheduled = self.carrier.schedule(changes.messages, changes.deliveries, stale)
        return replace(changes, deliveries=scheduled)

    def _entry(self, call: Call, answer: Answer, fault: Fault | None) -> Entry:
        created = answer.changes.conversations
        return Entry(
            at=self.platform.now(),
            operation=call.operation,
            source=Source.REQUEST,
            conversation_id=call.conversation_id or (created[-1].id if created else None),
            message_id=answer.message_id,
            client_reference=answer.client_reference,
            status=None if fault and fault.kind in _UNANSWERED else answer.status,
            fault=fault.name if fault else None,
            violation=answer.violation,
            changes=answer.changes,
        )


def _content(call: Call) -> str:
    query = "&".join(f"{name}={value}" for name, value in call.query.items())
    return f"{call.conversation_id or ''}?{query}\n{call.body.decode('utf-8', 'replace')}"
