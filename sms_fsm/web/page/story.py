"""One conversation as an operator reads it: where it stands, texts, what happened, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sms_fsm.conversation import Conversation, Direction, Message
from sms_fsm.effects import Effect, EffectState
from sms_fsm.engine import Engine
from sms_fsm.errors import UnknownConversation
from sms_fsm.log import LoggedEvent
from sms_fsm.store.queries import Listed
from sms_fsm.web.page.listing import looks
from sms_fsm.web.page.pictures import Picture, path_picture
from sms_fsm.wording import in_words

_EVENTS_OF_A_PATH = 500
_EVENTS_SHOWN = 100
_TEXTS_SHOWN = 100
_EFFECTS_SHOWN = 50


class Happening(NamedTuple):
    """An event in plain words."""

    event: LoggedEvent
    words: str

    @property
    def moved(self) -> bool:
        return self.event.source != self.event.target


@dataclass(frozen=True, slots=True)
class Story:
    """What the page of a conversation shows; lists are newest first but the texts.

    Args:
        mark: changes whenever anything of it does.
        older: the number that the events behind these come before, or None.
        looks: the style of each state.
    """

    mark: str
    listed: Listed
    conversation: Conversation
    happenings: Sequence[Happening]
    older: int | None
    effects: Sequence[Effect]
    picture: Picture
    looks: dict[str, str]

    @property
    def dead(self) -> Sequence[Effect]:
        """Effects that gave up."""
        return [effect for effect in self.effects if effect.state is EffectState.DEAD]

    @property
    def waiting(self) -> Sequence[Effect]:
        """Effects whose turn is still to come, or that are being carried out."""
        return [effect for effect in self.effects if effect.state is not EffectState.DEAD]


def mark_of(engine: Engine, identity: str) -> str:
    """What `Story.mark` would be, without telling the story.

    Raises:
        UnknownConversation: there is none with this id.
    """
    return _mark(_listed(engine, identity), engine.board.unsettled(identity, _EFFECTS_SHOWN))


def story_of(engine: Engine, identity: str, before: int | None = None) -> Story:
    """The story of a conversation, its events from ``before`` backwards.

    Raises:
        UnknownConversation: there is none with this id.
    """
    listed = _listed(engine, identity)
    board, graph = engine.board, engine.graph_of(listed.conversation)
    effects = board.unsettled(identity, _EFFECTS_SHOWN)
    path = board.events(identity, None, _EVENTS_OF_A_PATH)
    events = board.events(identity, before, _EVENTS_SHOWN) if before else path[:_EVENTS_SHOWN]
    conversation = board.recent(listed.conversation, texts=_TEXTS_SHOWN)
    texts = {message.seq: message for message in conversation.messages}
    return Story(
        mark=_mark(listed, effects),
        listed=listed,
        conversation=conversation,
        happenings=[Happening(event, in_words(event, texts)) for event in events],
        older=events[-1].seq if events and events[-1].seq > 1 else None,
        effects=effects,
        picture=path_picture(graph, path[::-1]),
        looks=looks(graph),
    )


def kind_of(message: Message) -> str:
    """How a text is shown: in, out or note."""
    if message.note:
        return "note"
    return "in" if message.direction is Direction.INBOUND else "out"


def facts_of(message: Message) -> Sequence[str]:
    """What is said of a text beside its status."""
    segments = sum(part.segments for part in message.parts)
    said = (
        _counted(segments, "segment") if segments else "",
        _counted(len(message.parts), "post") if len(message.parts) > 1 else "",
        _counted(message.attempts, "attempt") if message.attempts > 1 else "",
        ", ".join(dict.fromkeys(message.codes)),
        "confirms the opt-out" if message.confirmation else "",
    )
    return [fact for fact in said if fact]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(engine: Engine, identity: str) -> Listed:
    found = engine.board.conversation(identity) if identity.isprintable() else None
    if found is None:
        raise UnknownConversation("no conversation has this id")
    return found


def _mark(listed: Listed, effects: Sequence[Effect]) -> str:
    tries = sum(effect.attempts for effect in effects)
    held = sum(effect.state is EffectState.LEASED for effect in effects)
    return f"{listed.conversation.seq}-{len(effects)}-{tries}-{held}"
