"""Phone numbers as commands show them: masked, unless somebody asked for them."""

from __future__ import annotations

from sms_fsm.cli.terminal import printable
from sms_fsm.sms import mask


def shown(address: str, *, reveal: bool) -> str:
    """The number, or at most its last two digits."""
    return printable(address) if reveal else mask(address)
