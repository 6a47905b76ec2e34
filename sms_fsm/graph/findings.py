"""The problems found so far in one document, with suggestions for names that are nearly right."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from difflib import get_close_matches

from sms_fsm.errors import Problem
from sms_fsm.graph.codes import Code
from sms_fsm.graph.model import Mark

_COMPARISONS = 1_000
_LONGEST_COMPARED = 64
_LONGEST_SHOWN = 40
_MOST_SHOWN = 5


def shown(text: str) -> str:
    """A text of the document as a problem quotes it: on one line, escaped, of bounded length."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def listed(names: Iterable[str]) -> str:
    """A list of names as a problem quotes it, of bounded length."""
    every = tuple(names)
    rest = len(every) - _MOST_SHOWN
    return ", ".join(every[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


class Findings:
    """Gathers problems in any order and gives them back in the order of the document.

    Looking for a suggestion is slow, and a hostile document can hold thousands of wrong names:
    so the comparisons that one document may cost are counted.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._comparisons = _COMPARISONS

    def __len__(self) -> int:
        return len(self._problems)

    def add(self, code: Code, mark: Mark, message: str) -> None:
        self._problems.append(code.at(mark, message))

    def extend(self, problems: Iterable[Problem]) -> None:
        self._problems.extend(problems)

    def unknown(
        self, code: Code, mark: Mark, what: str, name: str, known: Collection[str]
    ) -> str | None:
        """Reports a name that is not among ``known``; gives the one that was probably meant."""
        likely = self._likely(name, known)
        hint = f"; did you mean {shown(likely)}?" if likely else ""
        self.add(code, mark, f"unknown {what} {shown(name)}{hint}")
        return likely

    def since(self, start: int, *, ignoring: Collection[Code]) -> bool:
        """Whether anything but ``ignoring`` was found since there were ``start`` problems."""
        return any(problem.code not in ignoring for problem in self._problems[start:])

    def in_order(self, file: str) -> tuple[Problem, ...]:
        """Every problem, sorted by place and code."""
        placed = (replace(problem, file=file) for problem in self._problems)
        return tuple(sorted(placed, key=lambda p: (p.line, p.column, p.code, p.message)))

    def _likely(self, name: str, known: Collection[str]) -> str | None:
        self._comparisons -= len(known)
        if self._comparisons < 0 or len(name) > _LONGEST_COMPARED:
            return None
        return next(iter(get_close_matches(name, sorted(known), n=1)), None)
