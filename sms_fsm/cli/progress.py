"""Progress on stderr, where there is a terminal to show it; elsewhere nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sms_fsm.cli.terminal import stderr


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Shows how many events were dealt with; gives what is told the number."""
    console = stderr()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what)
        yield lambda count: bar.update(task, description=f"{what}: {count:,} events")


@contextmanager
def filling(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a whole is done; gives what is told both numbers."""
    console = stderr()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
