"""Giving conversations to people: by a wish of the AI or a rule, or by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.messaging import ConversationEscalated, ConversationReopened
from flotilla.events.websocket import NotificationRequested
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation
from flotilla_messaging.domain.escalations import Escalation
from flotilla_messaging.events import AUDIENCE, conversation_event
from flotilla_messaging.store import conversations, escalations

KIND: Final = "conversation.escalated"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An escalation that shall be, and the cause that its event goes back to."""

    escalation: Escalation
    cause: Cause

    @property
    def home(self) -> tuple[UUID, UUID]:
        """(organization, conversation)."""
        return self.escalation.organization_id, self.escalation.conversation_id


async def escalate(tx: Transaction, wanted: Sequence[Wanted]) -> dict[UUID, Conversation]:
    """Escalate conversations, each told of; by conversation, as it stands then. Unknown ones are missing.

    One that is escalated already stays so under its first id; it may become more urgent. One that sleeps or was
    resolved is open again: somebody shall look at it.
    """
    held = await conversations.lock(tx, [each.home for each in wanted])
    before = {(each.organization_id, each.id): each for each in held}
    now = dict(before)
    there = await escalations.read(
        tx, [(each.organization_id, each.escalation_id) for each in held if each.escalation_id]
    )
    open_ = {(each.organization_id, each.conversation_id): each for each in there.values()}
    for each in wanted:
        if each.home in now:
            standing = open_.get(each.home)
            joined = standing.joined_by(each.escalation) if standing else each.escalation
            now[each.home] = _tell(tx, now[each.home], standing, joined, each.cause)
            open_[each.home] = joined
    touched = {each.home for each in wanted if each.home in now}
    await escalations.keep(tx, [open_[home] for home in sorted(touched)])
    await conversations.save(tx, [now[home] for home in touched if now[home] != before[home]])
    return {conversation_id: now[org, conversation_id] for org, conversation_id in touched}


def _tell(
    tx: Transaction, before: Conversation, standing: Escalation | None, now: Escalation, cause: Cause
) -> Conversation:
    org = before.organization_id
    awake = before.reopened()
    if awake is not before:
        reopened = conversation_event(ConversationReopened, awake, before)
        tx.emit(reopened, org=org, sequence=awake.sequence, cause=cause, audience=AUDIENCE)
    after = awake.escalated(now.id, again=now != standing)
    event = conversation_event(
        ConversationEscalated,
        after,
        awake,
        reason=now.reason,
        summary=now.summary,
        priority=now.priority,
        team_id=now.team_id,
        escalated_by=now.escalated_by,
    )
    tx.emit(event, org=org, sequence=after.sequence, cause=cause, audience=AUDIENCE)
    if standing is None and after.assignee_id is not None and cause.actor != f"user:{after.assignee_id}":
        _notify(tx, after, after.assignee_id, now, cause)
    return after


def _notify(
    tx: Transaction, conversation: Conversation, user_id: UUID, escalation: Escalation, cause: Cause
) -> None:
    """Tell whose conversation it is."""
    wish = NotificationRequested(
        notification_id=tx.app.new_id(),
        user_id=user_id,
        kind=KIND,
        title="A conversation needs you",
        text=escalation.summary or escalation.reason,
        link=f"/conversations/{conversation.id}",
        params={"reason": escalation.reason, "priority": escalation.priority},
    )
    asking = replace(cause, request_id=wish.notification_id)
    tx.emit(wish, org=conversation.organization_id, sequence=1, cause=asking, audience=f"user:{user_id}")
