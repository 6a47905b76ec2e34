"""How commands fail: one clear message on stderr and exit code 1, never a traceback."""

from __future__ import annotations

import logging
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from sms_fsm.cli.terminal import printable, stderr
from sms_fsm.errors import GraphError, SmsFsmError


class CommandError(SmsFsmError):
    """A command cannot do what was asked for; the message says why, and what would help."""


class Commands(TyperGroup):
    """The root of all commands: every error of sms_fsm ends here."""

    def invoke(self, ctx: Any) -> Any:
        # What commands have to say they print themselves; `work` and its like set up log lines.
        logging.getLogger("sms_fsm").addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        except SmsFsmError as error:
            _explain(error)
            raise typer.Exit(1) from None


def _explain(error: SmsFsmError) -> None:
    """Each line of the message, named after the program unless it names a place itself."""
    console = stderr()
    for said in str(error).splitlines() or [type(error).__name__]:
        start = Text() if isinstance(error, GraphError) else Text("sms-fsm: ", style="bold red")
        console.print(start.append(printable(said), style="none"), soft_wrap=True)
