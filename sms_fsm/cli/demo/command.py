"""The ``demo`` command: play the story, show it, write it down, judge it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from sms_fsm.cli.demo import screen
from sms_fsm.cli.demo.folder import PICTURES, DemoFolder, prepared
from sms_fsm.cli.demo.guarantees import Guarantee, guarantees, log_guarantees
from sms_fsm.cli.demo.scene import Played, played
from sms_fsm.cli.demo.stage import WEBHOOK_SECRET, MovedClock, Stage
from sms_fsm.cli.demo.story import STORY
from sms_fsm.cli.files import write_file, written
from sms_fsm.cli.terminal import printable, stderr, stdout
from sms_fsm.cli.timeline import print_story
from sms_fsm.diagram import DiagramError, path_overlay, render
from sms_fsm.graph import StateGraph, default_graph
from sms_fsm.registry import Registry
from sms_fsm.simulator import Simulator


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Where to write database, event log and picture. Files of an earlier demo "
            "are replaced, others are left alone.",
        ),
    ] = Path("demo-output"),
) -> None:
    """Play the whole journey on SQLite against a simulated CXone, and check every promise.

    Needs no account and no network. Visits every state: a carrier failure with retry, a warm
    transfer, a callback storm, a lost answer, a killed worker, 72 hours of silence on a moved
    clock, and the customer who comes back. Exit code 0 only if all of it held.
    """
    began = time.monotonic()
    console, folder, clock = stdout(), prepared(output), MovedClock()
    simulator = Simulator(clock=clock, webhook_secret=WEBHOOK_SECRET)
    graph = default_graph(Registry().names)
    with simulator.serve() as url:
        console.print(f"SQLite in {folder.database}, a simulated CXone at {url}, a moved clock.\n")
        stage = Stage(folder.database, simulator, clock)
        try:
            scenes = list(_played(console, stage))
            held = _judged(console, stage, graph, folder)
        finally:
            stage.engine.close()
    _conclude(console, scenes, held, time.monotonic() - began)


def _played(console: Console, stage: Stage) -> Iterator[Played]:
    for number, scene in enumerate(STORY, 1):
        with screen.busy(console, scene.title):
            result = played(scene, stage)
        screen.print_scene(console, number, result)
        yield result


def _judged(
    console: Console, stage: Stage, graph: StateGraph, folder: DemoFolder
) -> Sequence[Guarantee]:
    screen.heading(console, "The first customer's conversation, as `sms-fsm show` tells it")
    conversation = stage.conversation()
    print_story(console, conversation, stage.history, stage.waiting(conversation), reveal=False)
    with written(folder.log) as log:
        stage.engine.export_log(log)
    with screen.busy(console, "drawing"):
        _draw(stage, graph, folder)
    held = [*guarantees(stage, frozenset(graph.states)), *log_guarantees(stage, folder.log)]
    screen.heading(console, "What held from the first scene to the last")
    screen.print_guarantees(console, held)
    screen.heading(console, "Written for you to look at")
    screen.print_files(console, folder.files)
    return held


def _draw(stage: Stage, graph: StateGraph, folder: DemoFolder) -> None:
    """The path as svg and png where the extra is installed, else as Mermaid."""
    steps = [(event.source, event.target, event.name, event.at) for event in stage.history]
    overlay = path_overlay(graph, steps)
    svg, png, mermaid = (folder.path / name for name in PICTURES)
    try:
        drawings = {svg: render(graph, "svg", overlay=overlay)}
        drawings[png] = render(graph, "png", overlay=overlay)
    except DiagramError:
        drawings = {mermaid: render(graph, "mermaid", overlay=overlay)}
    for file, drawing in drawings.items():
        write_file(file, drawing.encode() if isinstance(drawing, str) else drawing)


def _conclude(
    console: Console, scenes: Sequence[Played], held: Sequence[Guarantee], seconds: float
) -> None:
    """The verdict; what did not hold is named on stderr.

    Raises:
        typer.Exit: with 1, if something did not hold.
    """
    broken = [f"{scene.title}: {claim.said}" for scene in scenes for claim in scene.broken]
    broken += [f"{one.promise}: {one.checked}" for one in held if not one.held]
    if not broken:
        claims = sum(len(scene.claims) for scene in scenes)
        console.print(
            Text(f"\nAll {claims} claims and {len(held)} guarantees held.", style="bold green"),
            Text(f"({seconds:.1f} s)", style="dim"),
        )
        return
    errors = stderr()
    for sentence in broken:
        said = Text("did not hold: ", style="bold red").append(printable(sentence), style="none")
        errors.print(said, soft_wrap=True)
    raise typer.Exit(1)
