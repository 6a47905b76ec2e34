"""The one order that pictures keep: that of the graph document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from sms_fsm.graph.model import Mark


class _Marked(Protocol):
    @property
    def mark(self) -> Mark: ...


_Part = TypeVar("_Part", bound=_Marked)


def in_document_order(parts: Mapping[str, _Part]) -> tuple[_Part, ...]:
    """The parts as the document lists them; those without a place of their own by name."""
    places = sorted(parts, key=lambda name: (parts[name].mark.line, parts[name].mark.column, name))
    return tuple(parts[name] for name in places)
