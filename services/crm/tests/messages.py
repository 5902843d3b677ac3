"""What messaging answers."""

from datetime import UTC, datetime

from flotilla.events.messaging import MessageRequested, MessageSent
from flotilla.ids import new_id


def sent(wish: MessageRequested) -> MessageSent:
    """The channel took it."""
    now = datetime.now(UTC)
    return MessageSent(
        message_id=wish.request_id,
        conversation_id=wish.conversation_id or new_id(),
        position=2,
        account_id=new_id(),
        channel="telegram",
        identity_id=new_id(),
        contact_id=wish.contact_id,
        author="service:crm",
        draft_id=None,
        state="sent",
        reason=None,
        external_id="48",
        queued_at=now,
        occurred_at=now,
        responds_to_at=None,
    )
