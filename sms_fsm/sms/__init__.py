"""Texts and phone numbers: what SMS can carry, in how many segments, and from whom to whom."""

from sms_fsm.sms.addresses import is_valid, mask, normalise
from sms_fsm.sms.overflow import Overflow, Post, posts
from sms_fsm.sms.text import (
    Encoding,
    Segment,
    check_inbound,
    check_outbound,
    encoding_of,
    segments,
    units,
)

__all__ = [
    "Encoding",
    "Overflow",
    "Post",
    "Segment",
    "check_inbound",
    "check_outbound",
    "encoding_of",
    "is_valid",
    "mask",
    "normalise",
    "posts",
    "segments",
    "units",
]
