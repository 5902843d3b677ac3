"""A wish of another service becomes a message, or is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime

from flotilla.app import App
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.messaging import MessageRefused, MessageRequested
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation, text_length, text_limit
from flotilla_messaging.domain.messages import Reply
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.outgoing import Queued, queue
from flotilla_messaging.store import bodies, conversations

Requested = Received[MessageRequested]


async def write_bodies(app: App, batch: Sequence[Requested]) -> None:
    """Bodies first; one whose wish is then refused is swept."""
    said = [event for event in batch if event.data.text]
    await bodies.write(
        app, (bodies.Body(event.org, event.data.request_id, event.data.text) for event in said)
    )


@reaction(MessageRequested, lane="drafts", prepare=write_bodies)
async def queue_wishes(tx: Transaction, batch: Sequence[Requested], _: None) -> None:
    """Queue each message that was asked for, under the request's id; say why one is not."""
    held = await conversations.lock(tx, [(event.org, event.data.conversation_id) for event in batch])
    known = {(each.organization_id, each.id): each for each in held}
    fitting: list[Requested] = []
    for event in batch:
        reason = _refusal(known.get((event.org, event.data.conversation_id)), event.data.text)
        if reason is None:
            fitting.append(event)
            continue
        refused = MessageRefused(
            request_id=event.data.request_id, conversation_id=event.data.conversation_id, reason=reason
        )
        tx.emit(refused, org=event.org, sequence=1, cause=event, audience=AUDIENCE)
    await queue(tx, [_queued(event) for event in fitting])


def _refusal(conversation: Conversation | None, text: str | None) -> str | None:
    """Why there is nothing to queue; none where there is."""
    if conversation is None:
        return "unknown_conversation"
    if not text or not text.strip():
        return "empty"
    length = text_length(conversation.channel, text)
    return "too_long" if length > text_limit(conversation.channel) else None


def _queued(event: Requested) -> Queued:
    author = event.envelope.actor or event.envelope.source.replace("/flotilla/", "service:")
    reply = Reply(
        id=event.data.request_id,
        author=author,
        draft_id=None,
        queued_at=datetime.now(UTC),
    )
    return Queued(event.org, event.data.conversation_id, reply, event.data.text or "", event)
