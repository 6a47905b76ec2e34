"""Scenes: carriers fail, repeat themselves and refuse for good."""

from __future__ import annotations

from sms_fsm.cli.demo.scene import Claim, Remark, Telling
from sms_fsm.cli.demo.stage import Stage
from sms_fsm.sms import mask

_COPIES = 50
_CARRIER_TROUBLE = "30003"
_LANDLINE = "30006"


def carrier_trouble(stage: Stage) -> Telling:
    """The carrier fails a reply for a passing reason; a minute later it gets through."""
    text = "You are right: we charged you twice."
    stage.simulator.carrier_says(text, [("failed", _CARRIER_TROUBLE)], times=1)
    key = stage.reply(text, posts=2)
    stage.engine.drain()
    stage.carriers_speak()
    yield Claim("a retry is planned, nothing has failed yet", stage.state == "awaiting_delivery")
    stage.clock.forward(seconds=59)
    stage.engine.drain()
    yield Claim("nothing is sent for 59 s", stage.copies(text) == 1)
    stage.clock.forward(seconds=1)
    stage.engine.drain()
    references = {post["metadata"]["client_reference"] for post in stage.posted()[-2:]}
    again = stage.copies(text) == 2 == len(references)  # noqa: PLR2004 - the first and the second post
    yield Claim("after 60 s once more, in the same conversation, under a new reference", again)
    stage.carriers_speak()
    message = stage.message(key)
    yield Claim("delivered", stage.state == message.status == "delivered")


def callback_storm(stage: Stage) -> Telling:
    """A carrier repeats its callbacks 50 times, eight at once."""
    text = "The money will be back within three days."
    stage.simulator.carrier_says(text, ["sent", "delivered"], copies=_COPIES)
    key = stage.reply(text)
    stage.engine.drain()
    sent = stage.carriers_speak(threads=8)
    yield Claim(
        f"{2 * _COPIES} callbacks are answered 200", sent == 2 * _COPIES and _all_taken(stage)
    )
    number = stage.message(key).seq
    reports = stage.events("DeliveryReported", message=number)
    moved = [event for event in reports if event.source != event.target]
    yield Claim("one transition", len(moved) == 1 and stage.state == "delivered")
    yield Claim("one event a status in the log", len(reports) == len({"sent", "delivered"}))
    with stage.queries() as queries:
        repeated = sum(figures.duplicates for figures in queries.carriers())
    yield Claim(f"{repeated} repeats are counted by carrier", repeated == 2 * (_COPIES - 1))


def refused_for_good(stage: Stage) -> Telling:
    """The carrier refuses a reply for good: the number is a landline now."""
    text = "Shall I send you the corrected invoice?"
    stage.simulator.carrier_says(text, [("failed", _LANDLINE)])
    key = stage.reply(text)
    stage.engine.drain()
    stage.carriers_speak()
    stage.engine.drain()
    given = [failed for failed in stage.handed_over if failed.key == key]
    yield Claim("the other channel gets it, once", [failed.text for failed in given] == [text])
    for failed in given:
        codes = ", ".join(dict.fromkeys(failed.codes))
        yield Remark(
            f"the other channel got: {failed.key} for {mask(failed.customer)}, “{failed.text}”, "
            f"because {failed.reason} ({codes}) after {failed.attempts} attempt"
        )
    stage.clock.forward(hours=1)
    stage.engine.drain()
    yield Claim("no carrier is asked again", stage.copies(text) == 1)
    yield Claim("the conversation says so", stage.state == "failed")


def _all_taken(stage: Stage) -> bool:
    return all(webhook.sending == "accepted" for webhook in stage.simulator.webhooks)
