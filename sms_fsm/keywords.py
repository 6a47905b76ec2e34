"""Words by which customers opt out and in: a table, matched against the whole message.

Sources: 47 CFR 64.1200(a)(10) names the words that a sender must honour; the others are what
carriers and providers honour. "Don't stop" is no opt-out, so nothing is looked for inside a text.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_LONGEST = 64
"""Characters; a longer message is a sentence, not a keyword."""


_ASCII_SPACES = {code: " " for code in range(128) if not chr(code).isalnum()}


class Keyword(StrEnum):
    """What a message that is nothing but a keyword asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


def keyword_in(text: str) -> Keyword | None:
    """The keyword that the whole message is, or None.

    Case, width, accents' composition, surrounding white space and punctuation do not count.
    """
    return None if len(text) > _LONGEST else _words().get(_folded(text))


def _folded(text: str) -> str:
    if text.isascii():  # most texts are: the same in a tenth of the time
        return " ".join(text.lower().translate(_ASCII_SPACES).split())
    letters = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(
        character if character.isalnum() or unicodedata.combining(character) else " "
        for character in letters
    )
    return " ".join(kept.split())


@cache
def _words() -> Mapping[str, Keyword]:
    table = files("sms_fsm").joinpath("keywords.csv").read_text("utf-8")
    rows = csv.DictReader(table.splitlines())
    return MappingProxyType({_folded(row["word"]): Keyword(row["keyword"]) for row in rows})
