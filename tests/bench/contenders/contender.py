"""What the bench asks of whoever takes texts in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from bench.texts import Text


class Contender(ABC):
    """Takes texts in; when `take` returns, all of them are committed.

    A contender is made with the URL of a store that holds the schema and the customers.
    """

    def prepare(self, texts: Sequence[Text]) -> None:  # noqa: B027 - most have nothing to prepare
        """What is not measured."""

    @abstractmethod
    def take(self, texts: Sequence[Text]) -> None:
        """What is measured."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds."""
