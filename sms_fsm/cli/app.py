"""All commands in one place, in the order in which ``--help`` shows them."""

from __future__ import annotations

import typer

from sms_fsm.cli import (
    conversations,
    database,
    differences,
    graphs,
    logbook,
    migration,
    outbox,
    serving,
    simulating,
    working,
)
from sms_fsm.cli.demo.command import demo
from sms_fsm.cli.doctor.command import doctor
from sms_fsm.cli.failures import Commands

app = typer.Typer(
    name="sms-fsm",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Keep SMS conversations continuous on NICE CXone. Settings come from options, then "
    "SMS_FSM_… variables, then .env; secrets from the last two alone.",
)

_START = "Start here"
_GRAPHS = "State graphs"
_RUNNING = "Running"
_CONVERSATIONS = "Conversations"
_LOG = "The event log"

app.command("demo", rich_help_panel=_START)(demo)
app.command("doctor", rich_help_panel=_START)(doctor)
app.command("check", rich_help_panel=_GRAPHS)(graphs.check)
app.command("diagram", rich_help_panel=_GRAPHS)(graphs.diagram)
app.command("diff", rich_help_panel=_GRAPHS)(differences.compare)
app.command("migrate", rich_help_panel=_GRAPHS)(migration.migrate)
app.command("serve", rich_help_panel=_RUNNING)(serving.serve)
app.command("work", rich_help_panel=_RUNNING)(working.work)
app.command("simulator", rich_help_panel=_RUNNING)(simulating.simulator)
app.add_typer(database.commands, name="db", rich_help_panel=_RUNNING)
app.command("list", rich_help_panel=_CONVERSATIONS)(conversations.listed)
app.command("show", rich_help_panel=_CONVERSATIONS)(conversations.show)
app.command("dead-letters", rich_help_panel=_CONVERSATIONS)(outbox.dead_letters)
app.command("retry", rich_help_panel=_CONVERSATIONS)(outbox.retry)
app.command("carriers", rich_help_panel=_CONVERSATIONS)(outbox.carriers)
app.command("export", rich_help_panel=_LOG)(logbook.export)
app.command("replay", rich_help_panel=_LOG)(logbook.replay)
app.command("rebuild", rich_help_panel=_LOG)(logbook.rebuild)
