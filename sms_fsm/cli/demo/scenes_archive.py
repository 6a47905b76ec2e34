"""Scenes: silence, archival, and the customer who comes back."""

from __future__ import annotations

from sms_fsm.cli.demo.scene import Claim, Telling
from sms_fsm.cli.demo.stage import SECOND_CUSTOMER, Stage


def archived_unannounced(stage: Stage) -> Telling:
    """CXone archives a conversation without a word; the next reply is refused with a 409."""
    remote = stage.remote(SECOND_CUSTOMER)
    stage.simulator.archive(remote, notify=False)
    text, since = "Shall we call you back?", len(stage.calls())
    key = stage.reply(text, customer=SECOND_CUSTOMER)
    stage.engine.drain()
    noticed = stage.events("ConversationArchived", SECOND_CUSTOMER, source="conflict")
    yield Claim("noticed by the 409", len(noticed) == 1)
    calls = stage.calls(since)
    order = [name for name in calls if name in ("postMessage", "updateConversation")]
    expected = ["postMessage", "updateConversation", "postMessage"]
    yield Claim("reactivated, then posted", order == expected)
    yield Claim("the reply goes once", stage.copies(text, SECOND_CUSTOMER) == 1)
    yield Claim("in the same conversation", stage.remote(SECOND_CUSTOMER) == remote)
    stage.carriers_speak()
    delivered = stage.message(key, SECOND_CUSTOMER).status == "delivered"
    yield Claim("delivered over the fresh route", delivered)


def long_silence(stage: Stage) -> Telling:
    """Nobody writes for 72 hours."""
    stage.clock.forward(hours=72)
    since = len(stage.calls())
    stage.engine.drain()
    yield Claim("archived by its timer", stage.state == "archived")
    yield Claim("without a call to CXone", stage.calls(since) == [])
    moves = len([event for event in stage.history if event.source != event.target])
    stage.simulator.archive(stage.remote())
    after = len([event for event in stage.history if event.source != event.target])
    yield Claim("CXone archives it too: nothing moves", moves == after)


def customer_returns(stage: Stage) -> Telling:
    """The customer comes back, with a number that was ported to another carrier meanwhile."""
    stage.carrier = "carrier-b"
    remote, since = stage.remote(), len(stage.simulator.ledger)
    text = "I still do not see the money."
    stage.customer_texts(text)
    stage.engine.drain()
    entries = stage.simulator.ledger[since:]
    calls = [entry.operation for entry in entries]
    before = calls.index("updateConversation") < calls.index("postMessage")
    yield Claim("reactivated before the text is posted", before)
    revived = [c for e in entries for c in e.changes.conversations if c.id == remote]
    yield Claim("with a fresh carrier route", bool(revived) and not revived[-1].stale_link)
    noticed = stage.events("ConversationReactivated", carrier_changed=True)
    yield Claim("the new carrier is noticed", len(noticed) == 1)
    yield Claim("same conversation, the text goes once", stage.copies(text) == 1)
    yield Claim("routed again", stage.state == "routed" and stage.remote() == remote)


def last_reply(stage: Stage) -> Telling:
    """The agent answers in the conversation that was there all along."""
    text = "It was sent this morning. Sorry for the trouble! 😊"
    stage.reply(text)
    stage.engine.drain()
    post = stage.posted()[-1]
    yield Claim("an emoji is declared as utf8", post.get("encoding") == "utf8")
    stage.carriers_speak()
    yield Claim("delivered", stage.state == "delivered")
    known = [one for message in stage.conversation().messages for one in message.message_ids]
    there = [post["message_id"] for post in stage.posted()]
    yield Claim("the whole history is in one place", sorted(known) == sorted(there))
