"""All commands in one place, in the order in which ``--help`` shows them."""

from __future__ import annotations

import typer

from sms_fsm.cli import conversations, graphs
from sms_fsm.cli.demo.command import demo
from sms_fsm.cli.failures import Commands

app = typer.Typer(
    name="sms-fsm",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Keep SMS conversations continuous on NICE CXone. Settings come from options, then "
    "SMS_FSM_… variables, then .env; secrets from the last two alone.",
)

_GRAPHS = "State graphs"
_CONVERSATIONS = "Conversations"

app.command("demo")(demo)
app.command("check", rich_help_panel=_GRAPHS)(graphs.check)
app.command("diagram", rich_help_panel=_GRAPHS)(graphs.diagram)
app.command("diff", rich_help_panel=_GRAPHS)(graphs.compare)
app.command("list", rich_help_panel=_CONVERSATIONS)(conversations.listed)
app.command("show", rich_help_panel=_CONVERSATIONS)(conversations.show)
