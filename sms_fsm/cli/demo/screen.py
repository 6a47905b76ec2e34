"""How the demo looks: a line a scene, what was checked beneath it, and a table in the end.

Nothing is redrawn, so it reads the same in a terminal, a dumb terminal and a CI log; a spinner
is shown where there is a terminal to show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sms_fsm.cli.demo.guarantees import Guarantee
from sms_fsm.cli.demo.scene import Played
from sms_fsm.cli.terminal import printable
from sms_fsm.cli.timeline import state

_USES = {
    "demo.db": "the store: sms-fsm list --database-url sqlite:///{}",
    "log.jsonl": "the event log: sms-fsm replay {}",
    "path.svg": "the state graph with the first customer's path",
    "path.png": "the same as png",
    "path.mmd": "the same for Mermaid; svg and png need the extra `pictures`",
}
_MARGIN = len("14 ✓ ")
_GAP = "   "
_MARKS = {True: Text("✓", style="bold green"), False: Text("✗", style="bold red")}


def busy(console: Console, title: str) -> AbstractContextManager[object]:
    """A spinner while a scene plays."""
    return console.status(title) if console.is_terminal else nullcontext()


def print_scene(console: Console, number: int, scene: Played) -> None:
    """One scene: mark, title, the states that it went through, and its claims."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2, justify="right", style="dim")
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_row(str(number), _MARKS[not scene.broken], _title(scene, console.width))
    held = "; ".join(claim.said for claim in scene.claims if claim.held)
    grid.add_row("", "", Text(printable(held), style="dim"))
    for remark in scene.remarks:
        grid.add_row("", "", Text(printable(remark.said), style="italic"))
    for claim in scene.broken:
        grid.add_row("", "", Text(f"not so: {printable(claim.said)}", style="red"))
    console.print(grid)


def print_guarantees(console: Console, held: Sequence[Guarantee]) -> None:
    """The table of what held."""
    drawn = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    drawn.add_column(width=2, justify="right")
    drawn.add_column(no_wrap=True)
    drawn.add_column(style="dim", overflow="fold")
    for guarantee in held:
        drawn.add_row(
            _MARKS[guarantee.held],
            Text(guarantee.promise),
            Text(printable(guarantee.checked), style="" if guarantee.held else "red"),
        )
    console.print(drawn)


def print_files(console: Console, files: Sequence[Path]) -> None:
    """What was written, and what to do with it."""
    grid = Table.grid(padding=(0, 2))
    for file in files:
        grid.add_row(Text(str(file)), Text(_USES[file.name].format(file), style="dim"))
    console.print(grid)


def heading(console: Console, title: str) -> None:
    """A title with air above it."""
    console.print()
    console.print(Text(title, style="bold"))


def _title(scene: Played, width: int) -> Text:
    """The title with the states beside it, or beneath it where they do not fit."""
    title = Text(scene.title, style="bold")
    if not scene.states:
        return title
    way = Text(" → ", style="dim").join(state(name) for name in scene.states)
    fits = _MARGIN + title.cell_len + len(_GAP) + way.cell_len <= width
    return title + Text(_GAP if fits else "\n") + way
