"""YAML text as a plain tree in which every node knows its place.

Only the event stream of PyYAML is used: no object is ever constructed, and what makes YAML
dangerous (tags, anchors, merge keys, endless nesting) is refused while reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from sms_fsm.errors import GraphError
from sms_fsm.graph.codes import Code
from sms_fsm.graph.findings import Findings, shown
from sms_fsm.graph.model import Mark

MAX_BYTES = 256 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 32
MAX_VALUE = 1_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Not printable, a second kind of line break, or a sign that lets a text look like another one.
_REFUSED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\u2028-\u202e\u2066-\u2069\ufeff]"
)
_CORE_SCHEMA = re.compile(
    r"(?P<null>(?:~|null|Null|NULL)?)"
    r"|(?P<boolean>true|True|TRUE|false|False|FALSE)"
    r"|(?P<number>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value. ``plain`` means written without quotes, so it may be more than text."""

    mark: Mark
    text: str
    plain: bool

    @property
    def kind(self) -> str:
        """``null``, ``boolean``, ``number`` or ``text``, by the core schema of YAML 1.2."""
        match = _CORE_SCHEMA.fullmatch(self.text) if self.plain else None
        return (match and match.lastgroup) or "text"


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    mark: Mark
    items: tuple[Node, ...]
    kind: str = "list"


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping from text to the place of the key and the value."""

    mark: Mark
    entries: Mapping[str, tuple[Mark, Node]]
    kind: str = "mapping"


Node = ScalarNode | ListNode | MapNode


def read_tree(text: str, findings: Findings) -> Node:
    """The tree of a YAML document; what can be read past is reported to ``findings``.

    Limits: 256 KiB, 10,000 nodes, 32 levels, 1,000 characters a value.

    Raises:
        GraphError: the text cannot be read any further.
    """
    _refuse_by_sight(text)
    builder = _Builder(findings)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _refusal(Code.SYNTAX, _mark(error.problem_mark), _reason(error)) from None
    except yaml.YAMLError:
        raise _refusal(Code.SYNTAX, Mark(), "not YAML") from None
    return builder.finished()


def place(text: str, offset: int) -> Mark:
    """Line and column of an offset."""
    before = text[:offset]
    return Mark(before.count("\n") + 1, offset - before.rfind("\n"))


def too_large() -> GraphError:
    """The error for a document above the limit."""
    return _refusal(Code.TEXT_TOO_LARGE, Mark(), f"longer than {MAX_BYTES:,} bytes")


def _refuse_by_sight(text: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large()
    _refuse_odd_characters(text, lambda offset: place(text, offset))


def _refuse_odd_characters(text: str, mark_of: Callable[[int], Mark]) -> None:
    odd = _REFUSED.search(text)
    if odd:
        message = f"character U+{ord(odd.group()):04X} is not allowed"
        raise _refusal(Code.CONTROL_CHARACTER, mark_of(odd.start()), message)


def _refusal(code: Code, mark: Mark, message: str) -> GraphError:
    return GraphError([code.at(mark, message)])


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark()


def _reason(error: yaml.MarkedYAMLError) -> str:
    parts = (part for part in (error.context, error.problem) if part)
    return ", ".join(" ".join(str(part).split()) for part in parts) or "not YAML"


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; in a mapping keys and values take turns."""

    mark: Mark
    is_mapping: bool
    items: list[Node] = field(default_factory=list)


class _Builder:
    """Turns the flat stream of events into a tree, with a stack of its own."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent() if self._root is not None:
                message = "a second document; a graph is one document"
                raise _refusal(Code.SEVERAL_DOCUMENTS, _mark(event.start_mark), message)
            case yaml.AliasEvent():
                raise _refusal(Code.ALIAS, _mark(event.start_mark), "aliases are not allowed")
            case yaml.NodeEvent():
                self._begin(event)
            case yaml.CollectionEndEvent():
                self._end()

    def finished(self) -> Node:
        if self._root is None:
            raise _refusal(Code.EMPTY_DOCUMENT, Mark(), "the document is empty")
        return self._root

    def _begin(self, event: yaml.NodeEvent) -> None:
        mark = _mark(event.start_mark)
        self._count(mark)
        self._report_decoration(event, mark)
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event, mark))
        else:
            self._stack.append(_Open(mark, isinstance(event, yaml.MappingStartEvent)))

    def _count(self, mark: Mark) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refusal(Code.TOO_MANY_NODES, mark, f"more than {MAX_NODES:,} nodes")
        if len(self._stack) >= MAX_DEPTH:
            raise _refusal(Code.TOO_DEEP, mark, f"nested deeper than {MAX_DEPTH} levels")

    def _report_decoration(self, event: Any, mark: Mark) -> None:
        if event.anchor is not None:
            self._findings.add(Code.ALIAS, mark, "anchors are not allowed")
        if event.tag is not None:
            self._findings.add(Code.TAG, mark, f"tag {shown(event.tag)} is not allowed")

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> ScalarNode:
        text = event.value
        if len(text) > MAX_VALUE:
            raise _refusal(Code.VALUE_TOO_LONG, mark, f"longer than {MAX_VALUE:,} characters")
        if event.style == '"':
            _refuse_odd_characters(text, lambda _: mark)
        return ScalarNode(mark, text, plain=not event.style)

    def _end(self) -> None:
        done = self._stack.pop()
        self._add(self._mapping(done) if done.is_mapping else ListNode(done.mark, (*done.items,)))

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].items.append(node)
        else:
            self._root = node

    def _mapping(self, done: _Open) -> MapNode:
        entries: dict[str, tuple[Mark, Node]] = {}
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if not isinstance(key, ScalarNode) or key.kind != "text":
                self._findings.add(Code.KEY_NOT_TEXT, key.mark, f"a {key.kind} as a key")
            elif key.text == "<<":
                self._findings.add(Code.MERGE_KEY, key.mark, "merge keys are not allowed")
            elif key.text in entries:
                self._findings.add(Code.DUPLICATE_KEY, key.mark, f"{shown(key.text)} comes twice")
            else:
                entries[key.text] = (key.mark, value)
        return MapNode(done.mark, entries)
