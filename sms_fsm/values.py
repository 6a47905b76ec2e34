"""Copies of frozen values, for those that are copied in every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["evolve"]

if TYPE_CHECKING:
    # To a type checker it is the same function, so that it knows the fields.
    from dataclasses import replace as evolve
else:
    V = TypeVar("V")

    def evolve(value: V, **changes: Any) -> V:
        """`dataclasses.replace` in a tenth of the time, for dataclasses without slots.

        Fields are copied as they are: ``__init__`` and ``__post_init__`` do not run.
        """
        fields = value.__dict__.copy()
        fields.update(changes)
        copy = object.__new__(type(value))
        object.__setattr__(copy, "__dict__", fields)
        return copy
