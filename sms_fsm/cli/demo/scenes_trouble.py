"""Scenes: answers get lost, a worker is killed, the token is no longer good."""

from __future__ import annotations

from sms_fsm.cli.demo.crash import killed_after_posting
from sms_fsm.cli.demo.scene import Claim, Telling
from sms_fsm.cli.demo.stage import SECOND_CUSTOMER, Stage
from sms_fsm.simulator import Fault


def answer_lost(stage: Stage) -> Telling:
    """CXone takes a reply but hangs up before it answers."""
    text = "I have opened a ticket with our billing team."
    stage.simulator.fault(Fault("postMessage", "reset", containing=text))
    key = stage.reply(text)
    stage.engine.drain()
    yield Claim("neither done nor failed: looked up", len(stage.events("AnswerLost")) == 1)
    number = stage.message(key).seq
    found = stage.events("MessagePosted", message=number, how="look-up")
    yield Claim("found by its reference", len(found) == 1)
    yield Claim("not sent twice", stage.copies(text) == 1)
    stage.carriers_speak()
    yield Claim("delivered", stage.state == "delivered")


def worker_killed(stage: Stage) -> Telling:
    """A worker process is killed right after CXone took its reply, before it could note that."""
    text = "Yes, we are. How can we help?"
    stage.simulator.fault(Fault("postMessage", "hang", containing=text))
    key = stage.reply(text, customer=SECOND_CUSTOMER)
    died = killed_after_posting(stage, lambda: stage.copies(text, SECOND_CUSTOMER) > 0)
    unknown = stage.message(key, SECOND_CUSTOMER).status == "queued"
    yield Claim("killed in the middle of it", died and unknown)
    stage.restart()
    taken = stage.drained_until(lambda: stage.message(key, SECOND_CUSTOMER).taken)
    yield Claim("a new engine takes it over when the lease is over", taken)
    number = stage.message(key, SECOND_CUSTOMER).seq
    found = stage.events("MessagePosted", SECOND_CUSTOMER, message=number, how="look-up")
    yield Claim("nothing lost", len(found) == 1)
    yield Claim("nothing twice", stage.copies(text, SECOND_CUSTOMER) == 1)
    stage.carriers_speak()
    yield Claim("delivered", stage.message(key, SECOND_CUSTOMER).status == "delivered")


def token_expires(stage: Stage) -> Telling:
    """Fifty minutes on, the token is due; then CXone revokes it out of turn."""
    stage.clock.forward(minutes=50)
    since = len(stage.simulator.ledger)
    first = stage.reply("Are you still there?", customer=SECOND_CUSTOMER)
    stage.engine.drain()
    answers = stage.simulator.ledger[since:]
    spent = [s for entry in answers for s in entry.changes.sessions if s.refreshed]
    yield Claim("renewed in time, by the refresh grant", len(spent) == 1)
    yield Claim("no call is refused", not any(entry.status == _UNAUTHORISED for entry in answers))
    stage.simulator.revoke_tokens()
    since = len(stage.simulator.ledger)
    second = stage.reply("We are here until six.", customer=SECOND_CUSTOMER)
    stage.engine.drain()
    refused = [e for e in stage.simulator.ledger[since:] if e.status == _UNAUTHORISED]
    yield Claim("a 401 renews it and repeats once", len(refused) == 1)
    stage.carriers_speak()
    statuses = {stage.message(key, SECOND_CUSTOMER).status for key in (first, second)}
    yield Claim("both replies are delivered", statuses == {"delivered"})


_UNAUTHORISED = 401
