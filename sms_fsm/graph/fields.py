"""Reads typed values from the nodes of a graph document; what does not fit is reported.

A reader takes a node and gives its value, or None after it reported why there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from sms_fsm.graph.codes import Code
from sms_fsm.graph.draft import Choice, Name
from sms_fsm.graph.findings import Findings, listed, shown
from sms_fsm.graph.model import Mark
from sms_fsm.graph.yaml_tree import ListNode, MapNode, Node, ScalarNode

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[Node, Findings], T | None]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_ALL_BUT = re.compile(r"any but\s+(.+)")
ANY = "any"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a mapping must have and may have."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        return self.required | self.optional


class Fields:
    """A mapping with fixed keys. A mistyped key is reported and then read as the one meant."""

    def __init__(self, node: Node, keys: Keys, findings: Findings) -> None:
        self.mark = node.mark
        self._findings = findings
        self._values: dict[str, Node] = {}
        entries = mapping(node, findings)
        if entries is not None:
            self._sort(entries, keys)
            self._report_missing(keys)

    def find(self, key: str, read: Reader[T]) -> T | None:
        """The value of a key, or None where it is not given or does not fit."""
        node = self._values.get(key)
        return None if node is None else read(node, self._findings)

    def get(self, key: str, read: Reader[T], default: T) -> T:
        """The value of a key, or ``default`` where it is not given or does not fit."""
        value = self.find(key, read)
        return default if value is None else value

    def sub(self, key: str, keys: Keys) -> Fields:
        """The mapping under a key, or an empty one where there is none."""
        node = self._values.get(key, MapNode(self.mark, {}))
        return Fields(node, keys, self._findings)

    def place(self, key: str) -> Mark:
        """Where the value of a key stands, or the mapping itself if it is not given."""
        node = self._values.get(key)
        return self.mark if node is None else node.mark

    def _sort(self, entries: MapNode, keys: Keys) -> None:
        meant: dict[str, Node] = {}
        for key, (mark, value) in entries.entries.items():
            if key in keys.known:
                self._values[key] = value
            else:
                likely = self._findings.unknown(Code.UNKNOWN_KEY, mark, "key", key, keys.known)
                meant |= {likely: value} if likely else {}
        self._values = meant | self._values

    def _report_missing(self, keys: Keys) -> None:
        for key in sorted(keys.required - self._values.keys()):
            self._findings.add(Code.MISSING_KEY, self.mark, f"key {shown(key)} is missing")


def mapping(node: Node, findings: Findings) -> MapNode | None:
    """A mapping; nothing at all counts as an empty one."""
    if isinstance(node, MapNode):
        return node
    if node.kind == "null":
        return MapNode(node.mark, {})
    _wrong(node, "a mapping", findings)
    return None


def entries(node: Node, findings: Findings) -> Iterator[tuple[Name, Node]]:
    """The entries of a mapping whose keys are names."""
    section = mapping(node, findings)
    for key, (mark, value) in section.entries.items() if section else ():
        name_ = _checked(key, mark, findings)
        if name_:
            yield name_, value


def label(node: Node, findings: Findings) -> str | None:
    """A text for people; runs of white space count as one space."""
    text = _text(node, "a text", findings)
    return None if text is None else " ".join(text.split())


def flag(node: Node, findings: Findings) -> bool | None:
    """``true`` or ``false``."""
    if node.kind == "boolean" and isinstance(node, ScalarNode):
        return node.text.lower() == "true"
    _wrong(node, "true or false", findings)
    return None


def count(node: Node, findings: Findings) -> int | None:
    """A whole number from 1."""
    if node.kind != "number" or not isinstance(node, ScalarNode):
        _wrong(node, "a whole number", findings)
        return None
    if _COUNT.fullmatch(node.text):
        return int(node.text)
    message = f"{shown(node.text)} is no whole number from 1 to 999,999,999"
    findings.add(Code.BAD_NUMBER, node.mark, message)
    return None


def duration(node: Node, findings: Findings) -> timedelta | None:
    """A length of time such as ``60s``, ``5m``, ``72h`` or ``7d``, at most 3,650 days."""
    if not isinstance(node, ScalarNode):
        _wrong(node, "a duration such as 60s", findings)
        return None
    match = _DURATION.fullmatch(node.text)
    length = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if length and length <= _LONGEST:
        return length
    message = f"{shown(node.text)} is no duration such as 60s, 5m, 72h or 7d (at most 3650d)"
    findings.add(Code.BAD_DURATION, node.mark, message)
    return None


def word_of(words: type[E]) -> Reader[E]:
    """A reader of one of a few words."""

    def read(node: Node, findings: Findings) -> E | None:
        known = [word.value for word in words]
        text = _text(node, f"one of {listed(known)}", findings)
        if text is None:
            return None
        if text not in known:
            likely = findings.unknown(Code.UNKNOWN_WORD, node.mark, "word", text, known)
            return words(likely) if likely else None
        return words(text)

    return read


def list_of(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """A reader of a list; items that do not fit are left out."""

    def read_all(node: Node, findings: Findings) -> tuple[T, ...] | None:
        if node.kind == "null":
            return ()
        if not isinstance(node, ListNode):
            _wrong(node, "a list", findings)
            return None
        values = (read(item, findings) for item in node.items)
        return tuple(value for value in values if value is not None)

    return read_all


def name(node: Node, findings: Findings) -> Name | None:
    """A name: a letter, then letters, digits, ``_`` or ``-``, 64 characters at most."""
    text = _text(node, "a name", findings)
    return None if text is None else _checked(text, node.mark, findings)


def optional_name(node: Node, findings: Findings) -> Name | None:
    """A name, or null for none."""
    return None if node.kind == "null" else name(node, findings)


def names(node: Node, findings: Findings) -> tuple[Name, ...] | None:
    """One name or a list of different names."""
    if isinstance(node, ScalarNode) and node.kind != "null":
        only = name(node, findings)
        return (only,) if only else None
    every = list_of(name)(node, findings)
    return None if every is None else _unrepeated(every, findings)


def some_names(node: Node, findings: Findings) -> tuple[Name, ...] | None:
    """One name or a list of at least one name."""
    every = names(node, findings)
    if every == ():
        findings.add(Code.NOTHING_NAMED, node.mark, "at least one name is needed")
        return None
    return every


def choice(node: Node, findings: Findings) -> Choice | None:
    """States: a name, a list of names, ``any``, or ``any but`` followed by names and commas."""
    if isinstance(node, ScalarNode) and node.text.split()[:1] == [ANY]:
        return _all_but(node, findings)
    every = some_names(node, findings)
    return Choice(node.mark, every) if every else None


def _all_but(node: ScalarNode, findings: Findings) -> Choice | None:
    if node.text == ANY:
        return Choice(node.mark, (), all_but=True)
    match = _ALL_BUT.fullmatch(node.text)
    if not match:
        message = f"{shown(node.text)} is not understood; write 'any' or 'any but a, b'"
        findings.add(Code.BAD_NAME, node.mark, message)
        return None
    every = (_checked(text.strip(), node.mark, findings) for text in match[1].split(","))
    left_out = _unrepeated(tuple(one for one in every if one), findings)
    return Choice(node.mark, left_out, all_but=True)


def _unrepeated(every: tuple[Name, ...], findings: Findings) -> tuple[Name, ...]:
    first: dict[str, Name] = {}
    for one in every:
        if first.setdefault(one.text, one) is not one:
            findings.add(Code.REPEATED_NAME, one.mark, f"{shown(one.text)} is named twice")
    return tuple(first.values())


def _checked(text: str, mark: Mark, findings: Findings) -> Name | None:
    if _NAME.fullmatch(text) and text != ANY:
        return Name(text, mark)
    if "." in text:
        message = f"{shown(text)} has a dot: a graph names registered code, it never imports"
        findings.add(Code.DOTTED_NAME, mark, message)
    else:
        message = f"{shown(text)} is no name: a letter, then letters, digits, _ or -, at most 64"
        findings.add(Code.BAD_NAME, mark, message)
    return None


def _text(node: Node, wanted: str, findings: Findings) -> str | None:
    if isinstance(node, ScalarNode) and node.kind == "text":
        return node.text
    _wrong(node, wanted, findings)
    return None


def _wrong(node: Node, wanted: str, findings: Findings) -> None:
    findings.add(Code.WRONG_TYPE, node.mark, f"{wanted} is expected, not a {node.kind}")
