"""Opening and reactivating: look up before creating, adopt what is there, never create twice.

Sources: guide sections 1 and 4 with their traps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from sms_fsm import events
from sms_fsm.dispatch.outcome import Again, Attempt, Finished, Outcome, StepBack
from sms_fsm.errors import CXoneError
from sms_fsm.graph import ClosedPolicy
from sms_fsm.logs import get_logger
from sms_fsm.ports import NewConversation, RemoteConversation

_log = get_logger(__name__)


def open_conversation(attempt: Attempt) -> Outcome:
    """Adopt the oldest active match, else reactivate an archived one, else create."""
    if not attempt.blocked:
        return Outcome(Finished())
    try:
        if attempt.effect.unknown_since is not None:
            lost = _settle_creation(attempt)
            if lost is not None:
                return lost
        return _adopt_or_create(attempt)
    except CXoneError as error:
        return _failed(attempt, error)


def reactivate_conversation(attempt: Attempt) -> Outcome:
    """Bring an archived conversation back with a fresh carrier route (guide, section 4)."""
    if not attempt.blocked:
        return Outcome(Finished())
    try:
        remote = attempt.platform.get_conversation(
            attempt.conversation_id, timeout_seconds=attempt.timeout_seconds
        )
        if remote.closed:
            return closed(attempt)
        if remote.archived:
            attempt.platform.reactivate(
                attempt.conversation_id, attempt.routing, timeout_seconds=attempt.timeout_seconds
            )
    except CXoneError as error:
        return troubled(attempt, error)
    return Outcome(Finished(), (_reactivated(attempt, "put" if remote.archived else "look-up"),))


def check_open(attempt: Attempt) -> Outcome | None:
    """What to do if CXone archived or closed the conversation while it was silent, or None."""
    silence = attempt.around.settings.archive_check_after_seconds
    contacted = attempt.conversation.contacted_at
    if contacted is not None and (attempt.now - contacted).total_seconds() < silence:
        return None
    remote = attempt.platform.get_conversation(
        attempt.conversation_id, timeout_seconds=attempt.timeout_seconds
    )
    if remote.closed:
        return closed(attempt)
    return archived(attempt, "flag") if remote.archived else None


def archived(attempt: Attempt, source: str) -> Outcome:
    """CXone archived it: it is reactivated before anything else."""
    outcome = attempt.step_back()
    event = events.conversation_archived(attempt.now, source=source)
    return replace(outcome, events=(event, *outcome.events))


def closed(attempt: Attempt) -> Outcome:
    """CXone closed it for good: by the graph's policy a successor takes over."""
    if attempt.graph.policies.closed_conversation is ClosedPolicy.HOLD:
        return attempt.died("409 conversation_closed")
    event = events.conversation_closed(
        attempt.now,
        conversation_id=attempt.conversation.conversation_id,
        effect=attempt.effect.id,
    )
    if attempt.effect.name == "ReactivateConversation":
        return Outcome(Finished(), (event,))
    return Outcome(attempt.step_back().then, (event,))


def troubled(attempt: Attempt, error: CXoneError) -> Outcome:
    """What an error of CXone means for an effect that may simply be repeated."""
    if error.code == "conversation_closed":
        return closed(attempt)
    if error.status == HTTPStatus.CONFLICT:  # with no other reason than that, if it names one
        return _conflict(attempt, error)
    if error.status == HTTPStatus.NOT_FOUND:
        return _vanished(attempt, error)
    return attempt.delayed(error) if error.retryable else attempt.died(str(error))


_CONFLICTS_IN_A_ROW = 3


def _conflict(attempt: Attempt, error: CXoneError) -> Outcome:
    """Reactivate and go on; when that does not help, not at once for ever."""
    reactivating = attempt.effect.name == "ReactivateConversation"
    if attempt.effect.failures < _CONFLICTS_IN_A_ROW and not reactivating:
        return replace(archived(attempt, "conflict"), then=StepBack(failed=True))
    delayed = attempt.delayed(error)
    event = events.conversation_archived(attempt.now, source="conflict")
    return replace(delayed, events=(event, *delayed.events))


def _vanished(attempt: Attempt, error: CXoneError) -> Outcome:
    """CXone does not know the conversation: look for it once more, never open a new one."""
    try:
        found = None if attempt.effect.looked_up else _look_again(attempt)
    except CXoneError as other:
        return attempt.delayed(other) if other.retryable else attempt.died(str(other))
    if found is None:
        return attempt.died(str(error))
    if found.closed:
        return closed(attempt)
    if found.archived and attempt.effect.name != "ReactivateConversation":
        return archived(attempt, "flag")
    again = Again(attempt.now, str(error), failed=True, looked_up=True)
    moved = found.conversation_id != attempt.conversation_id
    return Outcome(again, (_opened(attempt, found, "adopted"),) if moved else ())


def _look_again(attempt: Attempt) -> RemoteConversation | None:
    """The conversation itself; only where it is really gone, another one that is open."""
    matches = _matches(attempt, "active")
    for match in matches:
        if match.conversation_id == attempt.conversation_id:
            return match
    # That a search does not show it proves nothing: it lags, and does not list what is archived.
    try:
        return attempt.platform.get_conversation(
            attempt.conversation_id, timeout_seconds=attempt.timeout_seconds
        )
    except CXoneError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    return next((match for match in matches if not match.archived), None)


def _settle_creation(attempt: Attempt) -> Outcome | None:
    """What became of the creation whose answer was lost; None: it certainly did not take place."""
    found = _created_by_us(attempt)
    if found is not None:
        return Outcome(Finished(), (_opened(attempt, found, "found"),))
    return attempt.unsettled()


def _created_by_us(attempt: Attempt) -> RemoteConversation | None:
    customer = attempt.conversation.customer
    for status in ("active", "archived"):
        for match in attempt.platform.find_conversations(
            customer, status, timeout_seconds=attempt.timeout_seconds
        ):
            if match.client_reference == attempt.effect.id and not match.closed:
                return match
    return None


def _adopt_or_create(attempt: Attempt) -> Outcome:
    """The oldest active match, else the newest archived one, else a new one."""
    listed = _matches(attempt, "active")
    active = [match for match in listed if not match.archived]
    if len(active) > 1:
        _log.warning("conversation.several_matches", conversation=attempt.conversation.id)
    if active:
        return Outcome(Finished(), (_opened(attempt, active[0], "adopted"),))
    # A platform may list a conversation as active and flag it as archived nonetheless.
    asleep = [*listed, *(match for match in _matches(attempt, "archived") if match.archived)]
    return _reactivate_match(attempt, asleep[-1]) if asleep else _create(attempt)


def _reactivate_match(attempt: Attempt, match: RemoteConversation) -> Outcome:
    routing = match.routing if match.routing.assigned else attempt.routing
    remote = attempt.platform.reactivate(
        match.conversation_id, routing, timeout_seconds=attempt.timeout_seconds
    )
    settled = replace(remote, routing=routing)
    return Outcome(Finished(), (_opened(attempt, settled, "reactivated"),))


def _matches(attempt: Attempt, status: str) -> Sequence[RemoteConversation]:
    """Oldest first: ours or nobody's by business number, and held by no other pair."""
    conversation = attempt.conversation
    fitting = [
        match
        for match in attempt.platform.find_conversations(
            conversation.customer, status, timeout_seconds=attempt.timeout_seconds
        )
        if not match.closed and match.business_address in (None, "", conversation.business)
    ]
    ids = [match.conversation_id for match in fitting]
    held = attempt.around.held_by_others(conversation.id, ids) if ids else frozenset()
    return [match for match in fitting if match.conversation_id not in held]


def _create(attempt: Attempt) -> Outcome:
    conversation = attempt.conversation
    new = NewConversation(
        customer=conversation.customer,
        business=conversation.business,
        client_reference=attempt.effect.id,
        inbound=_began_inbound(attempt),
        routing=attempt.routing,
        name=conversation.name,
        external_customer_id=conversation.external_customer_id,
        preferred_language=conversation.preferred_language,
    )
    remote = attempt.platform.create_conversation(new, timeout_seconds=attempt.timeout_seconds)
    routed = replace(remote, routing=attempt.routing)
    return Outcome(Finished(), (_opened(attempt, routed, "created"),))


def _began_inbound(attempt: Attempt) -> bool:
    """Whether the event that planned the opening came from the customer's side."""
    _, seq, _ = attempt.effect.id.split(":")
    return attempt.around.logged(attempt.conversation.id, int(seq)).name != "ConversationInitiated"


def _failed(attempt: Attempt, error: CXoneError) -> Outcome:
    """A lost creation is looked up at once, and again when it must have settled."""
    if error.ambiguous:
        return attempt.lost(error, _settle_creation)
    # What was found a moment ago may be closed or gone now: look again.
    outdated = error.operation == "updateConversation" and error.status in (404, 409)
    if error.retryable or outdated:
        return attempt.delayed(error, unknown_since=attempt.effect.unknown_since)
    return attempt.died(str(error))


def _opened(attempt: Attempt, remote: RemoteConversation, how: str) -> events.Event:
    old = attempt.conversation.conversation_id
    return events.conversation_opened(
        attempt.now,
        effect=attempt.effect.id,
        conversation_id=remote.conversation_id,
        how=how,
        routing=remote.routing,
        replaced=old if old != remote.conversation_id else None,
        participant_id=remote.agent_participant_id,
        carrier_profile=_carrier_profile(attempt),
    )


def _reactivated(attempt: Attempt, how: str) -> events.Event:
    profile = _carrier_profile(attempt)
    before = attempt.conversation.carrier_profile
    changed = profile is not None and before is not None and profile != before
    if changed:
        _log.warning("carrier.changed", conversation=attempt.conversation.id)
    return events.conversation_reactivated(
        attempt.now,
        effect=attempt.effect.id,
        how=how,
        carrier_profile=profile,
        carrier_changed=changed,
    )


def _carrier_profile(attempt: Attempt) -> str | None:
    look_up = attempt.around.carrier_lookup
    if look_up is None:
        return None
    try:
        return str(look_up(attempt.conversation.customer))
    except Exception as error:  # noqa: BLE001 - a host's look-up must not stop an opening
        _log.warning("carrier.look_up_failed", error=type(error).__name__)
        return None
