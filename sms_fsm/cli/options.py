"""The options that commands share, each written once. Secrets are no options: arguments are seen
by every user of a machine, so they come from the environment or ``.env`` alone.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


_STORE = "Store"
_PLATFORM = "CXone"

GraphArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="GRAPH",
        help="A state graph (YAML). Without it: the setting, else the one in the package.",
        show_default=False,
    ),
]
GraphOption = Annotated[
    Path | None,
    typer.Option(
        "--graph",
        metavar="FILE",
        help="State graph in place of the one in the package [SMS_FSM_GRAPH].",
        show_default=False,
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME [SMS_FSM_DATABASE_URL]. "
        "A password belongs in the variable.",
        show_default=False,
        rich_help_panel=_STORE,
    ),
]
CXoneUrl = Annotated[
    str | None,
    typer.Option(
        "--cxone-url",
        metavar="URL",
        help="Base of CXone's Digital API [SMS_FSM_CXONE_URL].",
        show_default=False,
        rich_help_panel=_PLATFORM,
    ),
]
ClientId = Annotated[
    str | None,
    typer.Option(
        "--client-id",
        metavar="ID",
        help="OAuth client [SMS_FSM_CLIENT_ID]; its secret is SMS_FSM_CLIENT_SECRET.",
        show_default=False,
        rich_help_panel=_PLATFORM,
    ),
]
QueueId = Annotated[
    str | None,
    typer.Option(
        "--queue-id",
        metavar="ID",
        help="Queue of new conversations [SMS_FSM_QUEUE_ID].",
        show_default=False,
        rich_help_panel=_PLATFORM,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Threads that carry out effects [SMS_FSM_WORKERS, 4].",
        show_default=False,
    ),
]
OutputFormat = Annotated[
    Format, typer.Option("--format", help="text for people, json for scripts.")
]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show whole phone numbers (and texts, where there are).")
]
ConversationId = Annotated[
    str, typer.Argument(metavar="ID", help="The engine's id of a conversation.", show_default=False)
]
