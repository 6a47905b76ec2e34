"""One call to the platform and its answer, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr


class Kind(IntEnum):
    """Classes of HTTP status codes."""

    SUCCESS = 2
    REDIRECTION = 3
    CLIENT_ERROR = 4


class Unsendable(ValueError):
    """A call that can't be put on the wire as it is."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked.

    Args:
        operation: the operationId of the wire contract.
        form: secrets, hidden until they are sent; no traceback with locals shows them.
        segments: the path below ``/api/v2``, one plain text a segment.
        creates: whether each repetition creates one more, so that a lost answer is ambiguous.
    """

    operation: str
    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str] | None = field(default=None, repr=False)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, SecretStr] | None = field(default=None, repr=False)
    creates: bool = False

    @property
    def path(self) -> str:
        """The path with every segment percent-encoded, so that no id can change it.

        Raises:
            Unsendable: a segment that no encoding keeps apart from the path's own dots
                (RFC 3986 §5.2.4), or an empty one.
        """
        if any(segment in {"", ".", ".."} for segment in self.segments):
            raise Unsendable("an id that is no path segment")
        return "/".join(("/api/v2", *(quote(segment, safe="") for segment in self.segments)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None

    @property
    def kind(self) -> int:
        """The status code's class, its first digit (RFC 9110 §15); compare with `Kind`."""
        return self.status // 100
