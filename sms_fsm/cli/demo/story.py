"""The story, scene by scene. Each is one step of the journey and ends where the next begins."""

from __future__ import annotations

from sms_fsm.cli.demo import scenes_archive, scenes_delivery, scenes_opening, scenes_trouble
from sms_fsm.cli.demo.scene import Scene

STORY = (
    Scene("A customer texts for the first time", scenes_opening.first_text),
    Scene("An agent is assigned and replies", scenes_opening.agent_replies),
    Scene("The carrier fails a reply for a passing reason", scenes_delivery.carrier_trouble),
    Scene("A warm transfer to another queue", scenes_opening.warm_transfer),
    Scene("The carrier repeats its callbacks 50 times", scenes_delivery.callback_storm),
    Scene("CXone takes a reply, but its answer gets lost", scenes_trouble.answer_lost),
    Scene("The carrier refuses a reply for good", scenes_delivery.refused_for_good),
    Scene("A second customer texts twice at the same instant", scenes_opening.two_at_once),
    Scene("A worker is killed between post and note", scenes_trouble.worker_killed),
    Scene("The token grows old, then is revoked", scenes_trouble.token_expires),
    Scene("CXone archives without a word", scenes_archive.archived_unannounced),
    Scene("72 hours of silence", scenes_archive.long_silence),
    Scene("The first customer comes back, ported meanwhile", scenes_archive.customer_returns),
    Scene("The agent has the last word", scenes_archive.last_reply),
)
