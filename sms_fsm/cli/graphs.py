"""``check`` and ``diagram``: one state graph, examined and drawn."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.files import write_file
from sms_fsm.cli.options import DatabaseUrl, Format, GraphArgument, OutputFormat
from sms_fsm.cli.overlays import change_overlay, conversation_overlay, log_overlay
from sms_fsm.cli.stores import reading
from sms_fsm.cli.terminal import json_document, note, printable, stdout
from sms_fsm.config import Settings
from sms_fsm.diagram import FORMATS, Overlay, render
from sms_fsm.engine import load_graph
from sms_fsm.errors import Problem
from sms_fsm.graph import (
    StateGraph,
    check_file,
    check_text,
    default_graph_text,
)
from sms_fsm.registry import Registry

_PACKAGED = "states.yaml"


def check(graph: GraphArgument = None, format_: OutputFormat = Format.TEXT) -> None:
    """Check a state graph and report every problem at once.

    Each problem is one line, `file:line:column: code message`. Exit code 1 if one of them
    is an error; warnings alone are 0.
    """
    problems = _problems(Settings.from_env(graph=graph).graph)
    errors = [problem for problem in problems if problem.severity == "error"]
    if format_ is Format.JSON:
        json_document({"ok": not errors, "problems": [asdict(problem) for problem in problems]})
    else:
        _print_problems(problems)
        note(_summary(problems) if problems else _praise(loaded(graph)))
    if errors:
        raise typer.Exit(1)


def diagram(
    graph: GraphArgument = None,
    *,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"{', '.join(FORMATS)}. Without it: as the file is called, else mermaid.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here in place of stdout."),
    ] = None,
    conversation: Annotated[
        str | None,
        typer.Option("--conversation", metavar="ID", help="Light the path of one conversation."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            metavar="FILE",
            help="Paint how often each transition of an exported log ran, and how long each "
            "state held.",
        ),
    ] = None,
    old: Annotated[
        Path | None,
        typer.Option("--diff", metavar="OLD", help="Paint what changed since this graph."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Draw a state graph: plain, or with a conversation's path, a log's heat or what changed.

    svg and png need the extra `pictures`. A conversation is drawn on the graph version
    that it runs on, unless a graph is given.
    """
    if sum(map(bool, (conversation, log, old))) > 1:
        raise CommandError("--conversation, --log and --diff: choose one of them")
    drawn, overlay = _subject(graph, database_url, conversation=conversation, log=log, old=old)
    picture = render(drawn, _format(format_, output), overlay=overlay)
    _deliver(picture, output)


def loaded(graph: Path | None) -> StateGraph:
    """The graph that an argument, the settings or the package names.

    Raises:
        GraphError: everything that is wrong with it.
    """
    return load_graph(Settings.from_env(graph=graph), Registry())


# check


def _problems(path: Path | None) -> tuple[Problem, ...]:
    names = Registry().names
    if path is None:
        return check_text(default_graph_text(), names, _PACKAGED)
    return check_file(path, names)


def _print_problems(problems: Sequence[Problem]) -> None:
    console = stdout()
    for problem in problems:
        colour = "red" if problem.severity == "error" else "yellow"
        place = Text(f"{printable(problem.file)}:{problem.line}:{problem.column}: ")
        place.append(problem.code, style=colour).append(f" {printable(problem.message)}")
        console.print(place, soft_wrap=True)


def _summary(problems: Sequence[Problem]) -> str:
    counts = Counter(problem.severity for problem in problems)
    return ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for name, n in sorted(counts.items()))


def _praise(graph: StateGraph) -> str:
    return (
        f"{graph.file}: fine. {graph.id} version {graph.version}: {len(graph.states)} states, "
        f"{len(graph.events)} events, {len(graph.transitions)} transitions, "
        f"behaviour {graph.behaviour_hash[:12]}"
    )


# diagram


def _subject(
    path: Path | None,
    database_url: str | None,
    *,
    conversation: str | None,
    log: Path | None,
    old: Path | None,
) -> tuple[StateGraph, Overlay | None]:
    if conversation:
        with reading(database_url) as queries:
            return conversation_overlay(queries, conversation, loaded(path) if path else None)
    graph = loaded(path)
    if old:
        return graph, change_overlay(graph, old)
    return graph, log_overlay(graph, log) if log else None


def _format(named: str | None, output: Path | None) -> str:
    if named or output is None:
        return named or "mermaid"
    suffixes = {"mmd": "mermaid", "md": "mermaid", "gv": "dot", "puml": "plantuml"}
    suffix = output.suffix.removeprefix(".").lower()
    return suffixes.get(suffix, suffix if suffix in FORMATS else "mermaid")


def _deliver(picture: str | bytes, output: Path | None) -> None:
    data = picture if isinstance(picture, bytes) else picture.rstrip("\n").encode() + b"\n"
    if output is not None:
        write_file(output, data)
        note(f"wrote {output}")
    elif isinstance(picture, bytes) and sys.stdout.isatty():
        raise CommandError("a png is no text: give a file with -o, or redirect stdout")
    else:
        typer.echo(data, nl=False)
