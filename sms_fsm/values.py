"""Copies of frozen values, for those that are copied in every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["evolve", "finish"]

if TYPE_CHECKING:
    # To a type checker it is the same function, so that it knows the fields.
    from dataclasses import replace as evolve

    finish = evolve
else:
    V = TypeVar("V")
    _bare = object.__new__
    _fill = object.__setattr__

    def evolve(value: V, **changes: Any) -> V:
        """`dataclasses.replace` in a tenth of the time, for dataclasses without slots.

        Fields are copied as they are: ``__init__`` and ``__post_init__`` do not run.
        """
        copy = _bare(value.__class__)
        _fill(copy, "__dict__", value.__dict__ | changes)
        return copy

    def finish(value: V, **changes: Any) -> V:
        """The last touch to a value that its maker alone holds: it is changed in place.

        That saves the copy; whoever has given the value away needs `evolve`.
        """
        value.__dict__.update(changes)
        return value
