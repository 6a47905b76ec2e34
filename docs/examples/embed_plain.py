"""The whole of it in a script: a text comes in, an answer goes out."""

from sms_fsm import Engine, InboundMessage, Settings

with Engine.from_settings(Settings.from_env()) as engine:
    text = InboundMessage("sms-1", from_="+15551234567", to="+18885550100", text="Hello?")
    receipt = engine.receive(text)  # stored when this returns
    engine.reply(receipt.conversation, "Hello! How can we help?", key="ticket-7/1")
    engine.drain()  # carries out what is due: open, post, route, post
    print(engine.conversation(receipt.conversation).state)
