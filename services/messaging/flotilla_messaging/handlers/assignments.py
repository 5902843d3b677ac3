"""Conversations that others want assigned: each wish is granted, or refused with its reason."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.base import Event
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationAssignFailed,
    ConversationAssignRequested,
)
from flotilla.sagas import wishes
from flotilla.security.permissions import ROLES
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation
from flotilla_messaging.events import AUDIENCE, conversation_event
from flotilla_messaging.store import conversations, people

Requested = Received[ConversationAssignRequested]
Key = tuple[UUID, UUID]


@reaction(ConversationAssignRequested, lane="directory")
async def grant_assignments(tx: Transaction, batch: Sequence[Requested]) -> None:
    """Give conversations to who shall have them; several wishes for one are granted in the order they were made."""
    granted, _ = await wishes.take(tx, batch)
    if not granted:
        return
    wanted = sorted(granted, key=lambda event: event.id)
    held = await conversations.lock(tx, [(event.org, event.data.conversation_id) for event in wanted])
    now = {(each.organization_id, each.id): each for each in held}
    able = await _able(tx, wanted)
    for event in wanted:
        key = (event.org, event.data.conversation_id)
        assignee = event.data.assignee_id
        if key not in now:
            _refuse(tx, event, "unknown_conversation")
        elif assignee is not None and (event.org, assignee) not in able:
            _refuse(tx, event, "unknown_assignee")
        else:
            now[key] = _assign(tx, event, now[key])
    changed = [each for each in now.values() if each not in held]
    await conversations.save(tx, changed)


async def _able(tx: Transaction, batch: Sequence[Requested]) -> set[Key]:
    """Which of the wanted assignees work in the inbox."""
    asked = {(event.org, event.data.assignee_id) for event in batch if event.data.assignee_id is not None}
    rows = await tx.fetch(people.ROLES_OF_ACTIVE, [org for org, _ in asked], [id_ for _, id_ in asked])
    return {
        (row["organization_id"], row["id"])
        for row in rows
        if "conversations:write" in ROLES.get(row["role"], frozenset())
    }


def _assign(tx: Transaction, event: Requested, before: Conversation) -> Conversation:
    """It is theirs; told in any case, for the wish must be answered."""
    after = before.assigned(event.data.assignee_id)
    _answer(tx, event, conversation_event(ConversationAssigned, after, before), after.sequence)
    return after


def _refuse(tx: Transaction, event: Requested, reason: str) -> None:
    wish = event.data
    failed = ConversationAssignFailed(
        request_id=wish.request_id, conversation_id=wish.conversation_id, reason=reason
    )
    _answer(tx, event, failed, 1)


def _answer(tx: Transaction, event: Requested, fact: Event, sequence: int) -> None:
    cause = replace(event.cause, request_id=event.data.request_id)
    tx.emit(fact, org=event.org, sequence=sequence, cause=cause, audience=AUDIENCE)
