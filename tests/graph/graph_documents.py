"""Small graph documents to change in one place, and the names that they may use."""

from sms_fsm import Registry
from sms_fsm.graph import EventKind, Names

SMALL = """\
graph: small
version: 2
states:
  a: {initial: true, rest: true}
  b: {rest: true}
events:
  Go: {kind: command}
  Tick: {kind: timer}
  DeliveryReported: {kind: fact}
effects:
  Call: {retry_for: 1h, on_failure: hold}
transitions:
  - {id: out, from: a, on: Go, to: b, do: call}
  - {id: back, from: b, on: Go, to: a}
"""

SMALL_NAMES = Names(
    guards=frozenset({"is_green", "is_round"}),
    actions={"call": ("Call",), "rest": ()},
    isolations=frozenset({"by_campaign"}),
    events=frozenset({"Go", "Tick", "DeliveryReported"}),
    effects=frozenset({"Call", "Write"}),
    kinds={"Go": EventKind.COMMAND},
)

SHIPPED_NAMES = Registry().names


def changed(text: str, old: str, new: str) -> str:
    """The text with its one occurrence of ``old`` replaced."""
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    return text.replace(old, new)


def small(old: str, new: str) -> str:
    """The small document, changed in one place."""
    return changed(SMALL, old, new)


def without_markers(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its ``«``, and the lines and columns where they stood."""
    head, *tail = text.split("«")
    places = []
    for part in tail:
        places.append((head.count("\n") + 1, len(head) - head.rfind("\n")))
        head += part
    return head, places
