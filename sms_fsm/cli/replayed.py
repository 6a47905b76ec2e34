"""How the reports of ``replay`` and ``rebuild`` look, for people and for scripts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from sms_fsm.cli.terminal import printable
from sms_fsm.replay import Bucket, Coverage, Divergence, RebuildReport, ReplayReport

_MOST_SHOWN = 20
_LONGEST_VALUE = 60
_UNNUMBERED = (
    "an older export that does not number its conversations: one left out whole is not missed"
)
_BUCKETS = {
    Bucket.SAME: "same",
    Bucket.OTHER_EFFECTS: "other effects",
    Bucket.DIVERGED: "diverged",
    Bucket.REFUSED: "refused",
    Bucket.STATE_MISSING: "state missing",
}


def report_document(report: ReplayReport, *, coverage: bool) -> dict[str, Any]:
    """The report as JSON; coverage only if it was asked for."""
    document = {
        "clean": report.clean,
        "events": report.events,
        "judged": report.judged,
        "conversations": {bucket.value: report.conversations[bucket] for bucket in Bucket},
        "divergent": report.divergent,
        "divergences": [asdict(one) for one in report.divergences],
        "faults": report.faults,
        "numbered": report.numbered,
        "problems": [asdict(one) for one in report.problems],
        "added_effects": dict(report.added),
        "removed_effects": dict(report.removed),
    }
    if coverage:
        document["coverage"] = [_gaps(one) for one in report.coverage]
    return document


def print_report(console: Console, log: Path, report: ReplayReport, *, coverage: bool) -> None:
    """Counts first, then what is wrong with the log, then what came out otherwise."""
    console.print(_counts(report))
    for problem in report.problems[:_MOST_SHOWN]:
        place = Text(f"{log}:{problem.line}: ").append(problem.code, style="red")
        console.print(place.append(f" {printable(problem.reason)}"), soft_wrap=True)
    _print_rest(console, report.faults, "faults")
    for divergence in report.divergences[:_MOST_SHOWN]:
        console.print(_divergence(log, divergence), soft_wrap=True)
    _print_rest(console, report.divergent, "events that come out otherwise")
    _print_effects(console, "planned in addition", report.added)
    _print_effects(console, "no longer planned", report.removed)
    if not report.numbered:
        console.print(Text(_UNNUMBERED, style="yellow"), soft_wrap=True)
    if coverage:
        for one in report.coverage:
            _print_coverage(console, one)
    if report.clean:
        console.print(Text("every event comes out as recorded", style="green"))


def print_rebuild(console: Console, report: RebuildReport) -> None:
    """Counts, then what is stored otherwise than the log gives it."""
    counted = f"{report.events:,} events of {report.conversations:,} conversations folded"
    console.print(Text(counted))
    for drift in report.drifts[:_MOST_SHOWN]:
        place = Text(f"{drift.conversation or 'all'}: ").append(drift.field, style="red")
        said = f" is {_short(drift.stored)}, the log gives {_short(drift.folded)}"
        console.print(place.append(printable(said)), soft_wrap=True)
    _print_rest(console, report.drifted, "drifts")
    if report.clean:
        console.print(Text("the store is what its log says", style="green"))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _counts(report: ReplayReport) -> Text:
    buckets = ", ".join(
        f"{_BUCKETS[bucket]} {count:,}"
        for bucket, count in report.conversations.items()
        if count or bucket is Bucket.SAME
    )
    return Text(f"{report.judged:,} of {report.events:,} events decided again; "
                f"conversations: {buckets}")  # fmt: skip


def _print_rest(console: Console, number: int, what: str) -> None:
    if number > _MOST_SHOWN:
        console.print(Text(f"… {number:,} {what} in all", style="dim"))


def _print_effects(console: Console, how: str, counts: Mapping[str, int]) -> None:
    if counts:
        listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        console.print(Text(f"effects {how}: {printable(listed)}"), soft_wrap=True)


def _divergence(log: Path, one: Divergence) -> Text:
    """The event, what it does instead, and the line of YAML that decides it."""
    said = Text(f"{log}:{one.line}: ").append(_BUCKETS[one.bucket], style="red")
    said.append(f" {one.event}, event {one.seq} of {one.conversation}, in {one.source}: ")
    if one.actual is None:
        said.append(f"the graph has no state {one.source}")
    elif one.actual != one.expected:
        said.append(f"recorded {one.expected}, now {one.actual}")
    else:
        said.append(f"{', '.join(one.differs)} differ")
        said.append("".join([*(f" +{n}" for n in one.added), *(f" -{n}" for n in one.removed)]))
    if one.yaml_line is not None:
        rule = f" (rule {one.rule})" if one.rule else ""
        said.append(f" → {one.file}:{one.yaml_line}{rule}", style="cyan")
    return Text(printable(said.plain)) if not said.plain.isprintable() else said


def _print_coverage(console: Console, one: Coverage) -> None:
    console.print(
        Text(f"\nnever exercised of {one.id} version {one.version} ({one.file})", style="bold")
    )
    if not (one.states or one.transitions or one.guards):
        console.print(Text("everything was exercised", style="green"))
    for state in one.states:
        console.print(Text(f"  state never entered: {state}"))
    for (rule, event, line), sources in _by_rule(one).items():
        said = f"  rule never taken: {rule} on {event} from {', '.join(sources)}"
        console.print(Text(said).append(f" (line {line})", style="dim"), soft_wrap=True)
    for guard, answer in one.guards:
        console.print(Text(f"  guard never said {'yes' if answer else 'no'}: {guard}"))


def _by_rule(one: Coverage) -> Mapping[tuple[str, str, int], Sequence[str]]:
    """The states that each rule was never taken from, by rule, event and line of its document."""
    sources: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for move in one.transitions:
        sources[move.id, move.event, move.mark.line].append(move.source)
    return sources


def _gaps(one: Coverage) -> dict[str, Any]:
    return {
        "graph": one.id,
        "version": one.version,
        "states": one.states,
        "transitions": [
            {"id": move.id, "source": move.source, "event": move.event, "line": move.mark.line}
            for move in one.transitions
        ],
        "guards": [{"guard": guard, "answer": answer} for guard, answer in one.guards],
    }
