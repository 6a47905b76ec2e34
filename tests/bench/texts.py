"""The workload: customers who write to one business number, at random, each text once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

BUSINESS = "+18885550100"
WORDS = "Yes, tomorrow at 10 works for me"


class Text(NamedTuple):
    """One customer's text; ``message_id`` is new each time."""

    message_id: str
    customer: str


def customer(number: int) -> str:
    """The phone number of a customer."""
    return f"+1555{2_000_000 + number}"


def texts(count: int, customers: int) -> Sequence[Text]:
    """New texts of customers who are in the store."""
    return [Text(uuid4().hex, customer(random.randrange(customers))) for _ in range(count)]
