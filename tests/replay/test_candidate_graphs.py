"""The events of a log on another graph: which conversations come out otherwise, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from made_logs import Life, graph_line, lives, shipped_machine

from sms_fsm.graph import StateGraph, default_graph_text, load_graph_text
from sms_fsm.guards import Guard
from sms_fsm.log import sealed_lines
from sms_fsm.machine import Step
from sms_fsm.registry import Registry
from sms_fsm.replay import Bucket, Divergence, ReplayReport, verify

LIVES = tuple(lives(40, 30, seed=11))
LOG = (
    graph_line(shipped_machine().graph),
    *(line for life in LIVES for line in sealed_lines(life.log)),
)
DOCUMENT = default_graph_text()


def candidate(*edits: tuple[str, str]) -> StateGraph:
    """The shipped graph, edited."""
    text = DOCUMENT
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load_graph_text(text, Registry().names, "candidate.yaml")


def line_of(graph: StateGraph, fragment: str) -> int:
    return graph.document[: graph.document.index(fragment)].count("\n") + 1


def replayed(graph: StateGraph) -> ReplayReport:
    report = verify(LOG, graph=graph)
    assert report.problems == ()
    assert report.judged == report.events == len(LOG) - 1
    assert sum(report.conversations.values()) == len(LIVES)
    return report


def firsts(report: ReplayReport, bucket: Bucket) -> dict[str, Divergence]:
    """The first divergence of each conversation that is of this kind."""
    found: dict[str, Divergence] = {}
    for divergence in report.divergences:
        if divergence.bucket is bucket:
            found.setdefault(divergence.conversation, divergence)
    return found


def first_steps(affected: Callable[[Step], bool]) -> dict[str, int]:
    """Number of the first affected event of each conversation that has one."""
    return {
        life.conversation.id: next(filter(affected, life.steps)).after.seq
        for life in LIVES
        if any(map(affected, life.steps))
    }


def by_rule(*ids: str) -> Callable[[Step], bool]:
    return lambda step: step.transition is not None and step.transition.id in ids


def assert_where(
    report: ReplayReport, bucket: Bucket, expected: dict[str, int], yaml_line: int
) -> None:
    found = firsts(report, bucket)
    assert expected
    assert {name: d.seq for name, d in found.items()} == expected
    assert {d.yaml_line for d in found.values()} == {yaml_line}
    assert {d.file for d in found.values()} == {"candidate.yaml"}
    assert report.conversations[bucket] == len(expected)


def test_the_same_graph_with_other_titles_changes_nothing() -> None:
    report = replayed(candidate(("a text could not be delivered", "gone"), ("# Opening", "# Oh")))
    assert report.clean
    assert report.conversations[Bucket.SAME] == len(LIVES)


def test_another_target_diverges_at_the_first_event_of_its_rule() -> None:
    graph = candidate(
        ("    when: [is_inbound]\n    to: routed", "    when: [is_inbound]\n    to: active")
    )
    report = replayed(graph)
    expected = first_steps(by_rule("customer-wrote"))
    assert_where(report, Bucket.DIVERGED, expected, line_of(graph, "- id: customer-wrote"))
    for divergence in firsts(report, Bucket.DIVERGED).values():
        assert (divergence.expected, divergence.actual) == ("routed", "active")
        assert divergence.rule == "customer-wrote"
        assert divergence.event == "MessagePosted"
        assert divergence.differs == ("target",)


def test_a_guard_that_was_dropped_has_effects_where_it_said_no() -> None:
    graph = candidate(
        (
            "    when: [is_outbound]\n    do: [poll_delivery]",
            "    do: [poll_delivery]",
        )
    )

    def newly_taken(step: Step) -> bool:
        posted = step.event.name == "MessagePosted" and step.before.state in ("new", "archived")
        return posted and ("is_outbound", False) in step.asked

    line = line_of(graph, "- id: taken-late")
    assert_where(replayed(graph), Bucket.OTHER_EFFECTS, first_steps(newly_taken), line)


def test_another_retry_policy_has_other_effects_and_names_the_rule_that_planned() -> None:
    graph = candidate(("retry_after: [60s, 300s, 900s]", "retry_after: [30s, 300s, 900s]"))
    report = replayed(graph)
    line = line_of(graph, "- id: delivery-retry")

    def first_retry(step: Step) -> bool:
        return any(effect.due_in.total_seconds() == 60 for effect in step.planned)

    assert_where(report, Bucket.OTHER_EFFECTS, first_steps(first_retry), line)
    count = sum(first_retry(step) for life in LIVES for step in life.steps)
    assert report.added == report.removed == {"RetryDue": count}
    assert report.divergent == count


def test_fewer_retries_diverge_into_the_fallback_or_the_end() -> None:
    report = replayed(candidate(("retry_after: [60s, 300s, 900s]", "retry_after: [60s]")))
    found = firsts(report, Bucket.DIVERGED)
    other = firsts(report, Bucket.OTHER_EFFECTS)
    assert {d.event for d in (*found.values(), *other.values())} == {"DeliveryReported"}
    assert report.removed["RetryDue"] > 0


def test_effects_that_are_no_longer_planned_are_counted_by_name() -> None:
    graph = candidate(
        (
            "    on: TransferRequested\n    do: [update_routing]\n  - id: taken\n",
            "    on: TransferRequested\n  - id: taken\n",
        )
    )
    report = replayed(graph)
    assert_where(
        report,
        Bucket.OTHER_EFFECTS,
        first_steps(by_rule("transfer")),
        line_of(graph, "- id: transfer\n"),
    )
    planned = Counter(
        effect.name
        for life in LIVES
        for step in life.steps
        if by_rule("transfer")(step)
        for effect in step.planned
    )
    assert report.removed == planned
    assert report.added == {}


def test_a_command_that_the_candidate_refuses_is_named_with_its_event() -> None:
    graph = candidate(
        (
            "  - id: transfer\n    from: any but new, archived",
            "  - id: transfer\n    from: any but new, archived, delivered",
        )
    )
    report = replayed(graph)

    def refused(step: Step) -> bool:
        return step.event.name == "TransferRequested" and step.before.state == "delivered"

    expected = first_steps(refused)
    line = line_of(graph, "TransferRequested:    {kind")
    assert_where(report, Bucket.REFUSED, expected, line)
    for divergence in firsts(report, Bucket.REFUSED).values():
        assert divergence.differs[0] == "refused"
        assert divergence.rule is None


def renamed_failed() -> tuple[tuple[str, str], ...]:
    return (
        ("  failed:\n", "  undelivered:\n"),
        (
            "delivered, failed, reactivated, awaiting_delivery]",
            "delivered, undelivered, reactivated, awaiting_delivery]",
        ),
        ("from: [delivered, failed, reactivated]", "from: [delivered, undelivered, reactivated]"),
        ("    to: failed\n", "    to: undelivered\n"),
        ("    from: failed\n", "    from: undelivered\n"),
    )


def test_a_state_that_the_candidate_lacks_is_named_where_it_is_first_met() -> None:
    report = replayed(candidate(*renamed_failed()))
    met = first_steps(lambda step: "failed" in (step.before.state, step.after.state))
    found = firsts(report, Bucket.STATE_MISSING)
    assert met
    assert {name: d.seq for name, d in found.items()} == met
    assert report.conversations[Bucket.STATE_MISSING] == len(met)
    assert report.conversations[Bucket.SAME] == len(LIVES) - len(met)


def test_a_state_that_a_migration_renames_is_not_missing() -> None:
    names = {state: state for state in shipped_machine().graph.states} | {"failed": "undelivered"}
    pairs = ", ".join(f"{old}: {new}" for old, new in names.items())
    graph = candidate(
        *renamed_failed(),
        ("version: 1\n", "version: 2\n"),
        ("\npolicies:\n", f"\nmigrate:\n  - {{from: 1, states: {{{pairs}}}}}\n\npolicies:\n"),
    )
    assert replayed(graph).clean


def test_a_conversation_is_in_the_bucket_of_its_first_event_that_leads_elsewhere() -> None:
    graph = candidate(
        ("retry_after: [60s, 300s, 900s]", "retry_after: [30s, 300s, 900s]"),
        ("    when: [is_inbound]\n    to: routed", "    when: [is_inbound]\n    to: active"),
    )
    report = replayed(graph)
    moved = first_steps(by_rule("customer-wrote"))
    assert report.conversations[Bucket.DIVERGED] == len(moved)
    listed = Counter((d.conversation, d.bucket) for d in report.divergences)
    assert set(listed.values()) == {1}


def test_the_candidate_needs_no_graph_of_the_log() -> None:
    report = verify(LOG[1:], graph=shipped_machine().graph)
    assert report.clean
    assert report.judged == len(LOG) - 1


# The graph that the log was recorded on


def test_every_event_that_comes_out_otherwise_is_listed_on_its_own_graph() -> None:
    """As if a guard had been mended since the log was written."""
    report = verify(LOG, registry=_Mended())
    otherwise = [
        (life.conversation.id, step.after.seq)
        for life in LIVES
        for step in life.steps
        if ("is_inbound", True) in step.asked
    ]
    assert otherwise
    assert [(d.conversation, d.seq) for d in report.divergences] == otherwise
    assert report.divergent == len(otherwise)
    assert {d.file for d in report.divergences} == {"<version 1 in the log>"}
    assert {d.expected for d in report.divergences} == {"routed"}
    touched = {name for name, _ in otherwise}
    assert report.conversations[Bucket.DIVERGED] == len(touched)
    assert not report.clean


class _Mended(Registry):
    """A release in which a guard answers otherwise."""

    @property
    def guards(self) -> Mapping[str, Guard]:
        return {**super().guards, "is_inbound": lambda _, __: False}


def test_a_life_is_the_same_for_the_same_seed() -> None:
    def ids(life: Life) -> list[str]:
        return [record for record, _ in life.log]

    assert [ids(one) for one in lives(3, 9, seed=5)] == [ids(one) for one in lives(3, 9, seed=5)]
