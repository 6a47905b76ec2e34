"""A scene of the demo: something happens, and claims about it are checked as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sms_fsm.cli.demo.stage import Stage
from sms_fsm.errors import SmsFsmError


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, and whether it is true."""

    said: str
    held: bool


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth seeing that is not a claim."""

    said: str


Telling = Iterator[Claim | Remark]


@dataclass(frozen=True, slots=True)
class Scene:
    """One step of the story.

    Args:
        play: makes it happen on the stage and checks its claims on the way.
    """

    title: str
    play: Callable[[Stage], Telling]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a scene; ``states`` is the way that the first conversation took in it."""

    title: str
    claims: tuple[Claim, ...]
    remarks: tuple[Remark, ...]
    states: tuple[str, ...] = field(default=())

    @property
    def broken(self) -> tuple[Claim, ...]:
        """The claims that did not hold."""
        return tuple(claim for claim in self.claims if not claim.held)


def played(scene: Scene, stage: Stage) -> Played:
    """Play a scene to its end, a little later than the one before.

    An error of the engine is a claim that did not hold.
    """
    stage.clock.forward(minutes=2)
    before = len(stage.history)
    told: list[Claim | Remark] = []
    try:
        told.extend(scene.play(stage))
    except (SmsFsmError, LookupError) as error:
        told.append(Claim(f"it goes on without {type(error).__name__}: {error}", held=False))
    moves = [event for event in stage.history[before:] if event.source != event.target]
    return Played(
        scene.title,
        claims=tuple(one for one in told if isinstance(one, Claim)),
        remarks=tuple(one for one in told if isinstance(one, Remark)),
        states=tuple([moves[0].source, *(move.target for move in moves)] if moves else ()),
    )
