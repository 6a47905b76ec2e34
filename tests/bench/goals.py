"""What was to be reached, what was, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """One path of the engine, as a ratio within one run (or in milliseconds, where named so).

    Args:
        must: what a careful build reaches.
        dream: what would be remarkable.
        at_most: less is better.
    """

    path: str
    reached: float
    must: float
    dream: float
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """dream, must or missed."""
        if self._meets(self.dream):
            return "dream"
        return "must" if self._meets(self.must) else "missed"

    def _meets(self, wanted: float) -> bool:
        return self.reached <= wanted if self.at_most else self.reached >= wanted


def table(rows: list[tuple[object, ...]], *heads: str) -> str:
    """Rows as Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return str(value)


def goals_table(goals: list[Goal]) -> str:
    """Must, dream and reached of each path."""
    rows: list[tuple[object, ...]] = [
        (goal.path, goal.must, goal.dream, goal.reached, goal.verdict) for goal in goals
    ]
    return table(rows, "path", "must", "dream", "reached", "")
