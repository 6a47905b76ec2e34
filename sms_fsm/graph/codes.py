"""The stable codes of everything that can be wrong with a graph document.

G0 is about the text, G1 about keys and values, G2 about names and numbers that refer to something,
G3 about the graph as a whole, G4 about moving from an older version. G5 are warnings.
"""

from __future__ import annotations

from enum import StrEnum

from sms_fsm.errors import Problem
from sms_fsm.graph.model import Mark


class Code(StrEnum):
    """One kind of problem; ``docs/graph-codes.md`` explains each."""

    UNREADABLE_FILE = "G001"
    NOT_UTF8 = "G002"
    CONTROL_CHARACTER = "G003"
    TEXT_TOO_LARGE = "G004"
    TOO_MANY_NODES = "G005"
    TOO_DEEP = "G006"
    VALUE_TOO_LONG = "G007"
    SYNTAX = "G008"
    EMPTY_DOCUMENT = "G009"
    SEVERAL_DOCUMENTS = "G010"
    ALIAS = "G011"
    TAG = "G012"
    MERGE_KEY = "G013"
    KEY_NOT_TEXT = "G014"
    DUPLICATE_KEY = "G015"

    UNKNOWN_KEY = "G101"
    MISSING_KEY = "G102"
    WRONG_TYPE = "G103"
    BAD_DURATION = "G104"
    UNKNOWN_WORD = "G105"
    BAD_NAME = "G106"
    DOTTED_NAME = "G107"
    REPEATED_NAME = "G108"
    NOTHING_NAMED = "G109"
    BAD_NUMBER = "G110"
    TOO_MANY_STATES = "G111"
    TOO_MANY_TRANSITIONS = "G112"
    POLL_LIMIT = "G113"

    UNKNOWN_STATE = "G201"
    UNKNOWN_EVENT = "G202"
    UNKNOWN_GUARD = "G203"
    UNKNOWN_ACTION = "G204"
    UNKNOWN_EFFECT = "G205"
    UNKNOWN_ISOLATION = "G206"
    UNDECLARED_EVENT = "G207"
    UNDECLARED_EFFECT = "G208"
    WRONG_KIND = "G209"
    NOT_A_TIMER = "G210"
    DUPLICATE_ID = "G211"
    MIGRATION_VERSION = "G212"
    DUPLICATE_MIGRATION = "G213"

    NO_INITIAL = "G301"
    SEVERAL_INITIAL = "G302"
    UNREACHABLE = "G303"
    TRAP = "G304"
    NO_WAY_TO_REST = "G305"
    EXIT_FROM_FINAL = "G306"
    AMBIGUOUS = "G307"
    SHADOWED = "G308"
    AUTOMATIC_CYCLE = "G309"
    ENDLESS_DELIVERY_WAIT = "G310"

    NO_MIGRATION = "G401"
    UNMAPPED_STATE = "G402"
    UNKNOWN_OLD_STATE = "G403"
    LOST_EFFECT = "G404"

    WAITS_WITHOUT_TIMER = "G501"
    IDLE_TIMER = "G502"
    UNPLANNED_EFFECT = "G503"
    UNUSED_COMMAND = "G504"
    NOT_ALWAYS_ACCEPTED = "G505"

    @property
    def severity(self) -> str:
        """``warning`` if a graph with this problem may still be used, else ``error``."""
        return "warning" if self.value.startswith("G5") else "error"

    def at(self, mark: Mark, message: str) -> Problem:
        """The problem of this kind at one place; the file is filled in later."""
        return Problem(self.value, message, mark.line, mark.column, self.severity)
