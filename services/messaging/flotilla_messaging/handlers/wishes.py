"""A wish of another service becomes a message, or is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import NotYetKnown, reaction
from flotilla.bus.envelope import Received
from flotilla.events.messaging import MessageRefused, MessageRequested
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation, text_length, text_limit
from flotilla_messaging.domain.messages import Reply
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.outgoing import Queued, queue
from flotilla_messaging.store import bodies, conversations, people

Requested = Received[MessageRequested]
Key = tuple[UUID, UUID]
"""(organization, conversation)."""
PROMOTION: Final = "promotion"
GRACE: Final = timedelta(seconds=4)
"""Who has just been met may be asked for sooner than it is heard here whose conversation is theirs."""


async def write_bodies(app: App, batch: Sequence[Requested]) -> None:
    """Bodies first; one whose wish is then refused is swept."""
    said = [event for event in batch if event.data.text]
    await bodies.write(
        app, (bodies.Body(event.org, event.data.request_id, event.data.text) for event in said)
    )


@reaction(MessageRequested, lane="drafts", prepare=write_bodies)
async def queue_wishes(tx: Transaction, batch: Sequence[Requested], _: None) -> None:
    """Queue each message that was asked for, under the request's id; say why one is not."""
    where = await _where(tx, batch)
    held = await conversations.lock(tx, where.values())
    known = {(each.organization_id, each.id): each for each in held}
    meant = [(event, known.get(where[event.id]) if event.id in where else None) for event in batch]
    opted_out = await _opted_out(tx, meant)
    fitting: list[Queued] = []
    for event, conversation in meant:
        reason = _refusal(conversation, event.data, opted_out=event.id in opted_out)
        if reason is None and conversation is not None:
            fitting.append(_queued(event, conversation))
            continue
        refused = MessageRefused(
            request_id=event.data.request_id,
            conversation_id=event.data.conversation_id,
            reason=reason or "unknown_conversation",
        )
        tx.emit(refused, org=event.org, sequence=1, cause=event, audience=AUDIENCE)
    await queue(tx, fitting)


async def _where(tx: Transaction, batch: Sequence[Requested]) -> dict[UUID, Key]:
    """In which conversation each wish is to be granted, by its event; none where there is no telling."""
    found = {
        event.id: (event.org, event.data.conversation_id)
        for event in batch
        if event.data.conversation_id is not None
    }
    asked = {
        (event.org, event.data.contact_id)
        for event in batch
        if event.data.conversation_id is None and event.data.contact_id is not None
    }
    if not asked:
        return found
    rows = await tx.fetch(people.NEWEST_OF, [org for org, _ in asked], [id_ for _, id_ in asked])
    newest = {(row["org"], row["contact"]): row["id"] for row in rows}
    for event in batch:
        contact_id = event.data.contact_id
        if event.id in found or contact_id is None:
            continue
        if (event.org, contact_id) in newest:
            found[event.id] = (event.org, newest[event.org, contact_id])
        elif _may_be_new(event):
            raise NotYetKnown(people.CONTACT, contact_id)
    return found


def _may_be_new(wish: Requested) -> bool:
    """Whether to wait for their conversation. Promotions go to many of whom some have none: they don't wait."""
    return wish.data.purpose != PROMOTION and datetime.now(UTC) - wish.envelope.time < GRACE


async def _opted_out(tx: Transaction, meant: Sequence[tuple[Requested, Conversation | None]]) -> set[UUID]:
    """Promotions to people who have unsubscribed, by event: whom the wish names, and who is behind the conversation."""
    promotions = [
        (event.org, event.id, contact_id)
        for event, conversation in meant
        if event.data.purpose == PROMOTION
        for contact_id in {event.data.contact_id, conversation.contact_id if conversation else None}
        if contact_id is not None
    ]
    if not promotions:
        return set()
    columns = [list(column) for column in zip(*promotions, strict=True)]
    return {row["request"] for row in await tx.fetch(people.OPTED_OUT, *columns)}


def _refusal(conversation: Conversation | None, wish: MessageRequested, *, opted_out: bool) -> str | None:
    """Why there is nothing to queue; none where there is."""
    if conversation is None:
        return "unknown_conversation"
    if opted_out:
        return "unsubscribed"
    if wish.channels is not None and conversation.channel not in wish.channels:
        return "no_consent"
    text = wish.text
    if not text or not text.strip():
        return "empty"
    length = text_length(conversation.channel, text)
    return "too_long" if length > text_limit(conversation.channel) else None


def _queued(event: Requested, conversation: Conversation) -> Queued:
    author = event.envelope.actor or event.envelope.source.replace("/flotilla/", "service:")
    reply = Reply(
        id=event.data.request_id,
        author=author,
        draft_id=None,
        queued_at=datetime.now(UTC),
    )
    return Queued(event.org, conversation.id, reply, event.data.text or "", event, event.data.tracking)
