"""Frozen values that are copied in every step: made, copied and compared in C."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from msgspec import Struct
from msgspec.structs import force_setattr
from msgspec.structs import replace as evolve

__all__ = ["Value", "evolve", "finish"]


class Value(Struct, frozen=True):
    """A frozen value. What ``hidden`` names stays out of its representation."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        names = [name for name in self.__struct_fields__ if name not in self.hidden]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"


V = TypeVar("V", bound=Value)


def finish(value: V, **changes: Any) -> V:
    """The last touch to a value that its maker alone holds: it is changed in place.

    That saves the copy; whoever has given the value away needs `evolve`.
    """
    for name, change in changes.items():
        force_setattr(value, name, change)
    return value
