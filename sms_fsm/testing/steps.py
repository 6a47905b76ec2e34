"""What tests say of a step; a failure tells the whole step in one line."""

from __future__ import annotations

from sms_fsm.machine import Step


def assert_moved(step: Step, to: str, *, by: str | None = None) -> None:
    """The step led from another state to ``to``, by this rule if one is named."""
    moved = step.before.state != step.after.state == to
    _hold(moved and by in (None, _rule(step)), f"a move to {to}{_named(by)}", step)


def assert_stayed(step: Step, *, by: str | None = None) -> None:
    """The step was not refused and moved nothing; the named rule, if any, applied."""
    stayed = step.before.state == step.after.state and not step.refused
    _hold(stayed and by in (None, _rule(step)), f"no move{_named(by)}", step)


def assert_refused(step: Step, *, guard: str | None = None) -> None:
    """The command was refused, by this guard if one is named."""
    refused = step.refused and guard in (None, step.refusing_guard)
    _hold(refused, f"a refusal{_named(guard)}", step)


def assert_planned(step: Step, *effects: str) -> None:
    """The step planned exactly these effects and timers, in this order."""
    planned = tuple(effect.name for effect in step.planned)
    _hold(planned == effects, f"to plan {', '.join(effects) or 'nothing'}", step)


def described(step: Step) -> str:
    """A step in one line: event, states, rule, guards with their answers, effects."""
    asked = ", ".join(f"{name} {'yes' if answer else 'no'}" for name, answer in step.asked)
    planned = ", ".join(effect.name for effect in step.planned)
    move = "refused" if step.refused else f"{step.before.state} → {step.after.state}"
    return (
        f"{step.event.name}: {move}, by {_rule(step) or 'no rule'}, "
        f"asked: {asked or 'nothing'}, planned: {planned or 'nothing'}"
    )


def _rule(step: Step) -> str | None:
    return step.transition.id if step.transition else None


def _named(name: str | None) -> str:
    return f" by {name}" if name else ""


def _hold(truth: bool, expected: str, step: Step) -> None:  # noqa: FBT001 - the truth is the subject
    if not truth:
        raise AssertionError(f"expected {expected}, but {described(step)}")
