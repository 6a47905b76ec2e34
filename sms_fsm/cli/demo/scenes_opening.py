"""Scenes: a conversation opens, once, and is handed over without a break."""

from __future__ import annotations

import threading

from sms_fsm.cli.demo.scene import Claim, Telling
from sms_fsm.cli.demo.stage import BILLING, QUEUE, SECOND_CUSTOMER, Stage

_AGENT_PARTICIPANT = "participant-agent-4421"


def first_text(stage: Stage) -> Telling:
    """A customer texts a number for the first time."""
    text = "Hi, there is a mistake on my invoice."
    stage.customer_texts(text)
    yield Claim("stored before anything is called", stage.state == "new" and not stage.calls())
    stage.engine.drain()
    calls = stage.calls()
    looked, created = calls.index("findConversations"), calls.index("createConversation")
    yield Claim("looked up before it is created", looked < created)
    yield Claim("one conversation at CXone", len(stage.simulator.conversations) == 1)
    yield Claim("the text arrives unchanged", stage.copies(text) == 1)
    routing = stage.simulator.conversations[0]["routing"]
    yield Claim("routed to its queue", stage.state == "routed" and routing["queue_id"] == QUEUE)


def agent_replies(stage: Stage) -> Telling:
    """CXone assigns an agent, who replies."""
    stage.simulator.assign(stage.remote(), _AGENT_PARTICIPANT, agent_id="agent-9921")
    key = stage.reply("Thank you. Let me look at it.")
    stage.engine.drain()
    sent_by = stage.posted()[-1].get("participant_id")
    yield Claim("sent as the assigned agent", sent_by == _AGENT_PARTICIPANT)
    yield Claim("posted is not yet delivered", stage.state == "awaiting_delivery")
    stage.carriers_speak()
    yield Claim("delivered, says the carrier", stage.state == "delivered")
    yield Claim("and so is the text", stage.message(key).status == "delivered")


def warm_transfer(stage: Stage) -> Telling:
    """The conversation is handed over to billing, warm."""
    conversation, before, since = stage.conversation(), stage.posted(), len(stage.calls())
    (participants,) = (one["participants"] for one in stage.simulator.conversations)
    stage.engine.transfer(conversation.id, queue_id=BILLING, transfer_type="warm", key="transfer-1")
    stage.engine.drain()
    remote = stage.simulator.conversations[0]
    yield Claim("by a routing update alone", stage.calls(since) == ["updateRouting"])
    yield Claim("the conversation id stays", stage.remote() == conversation.conversation_id)
    yield Claim("the history stays", before == stage.posted() != [])
    yield Claim("no participant is replaced", remote["participants"] == participants)
    yield Claim("it is in the new queue", remote["routing"]["queue_id"] == BILLING)


def two_at_once(stage: Stage) -> Telling:
    """Another customer texts twice at the same instant, and two threads take the texts in."""
    texts = ("Is anybody there?", "Hello??")
    together = threading.Barrier(len(texts))

    def take_in(text: str) -> None:
        together.wait()
        stage.customer_texts(text, SECOND_CUSTOMER)
        stage.engine.drain()

    threads = [threading.Thread(target=take_in, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage.engine.drain()
    both = all(stage.copies(text, SECOND_CUSTOMER) == 1 for text in texts)
    yield Claim("one conversation, not two", len(stage.simulator.conversations) == 2)  # noqa: PLR2004 - with the first customer's
    yield Claim("created by one call", stage.calls().count("createConversation") == 2)  # noqa: PLR2004 - with the first customer's
    yield Claim("both texts are in it, once each", both)
