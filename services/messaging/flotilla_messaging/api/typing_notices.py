"""That somebody is writing: told now, kept nowhere."""

from uuid import UUID

from flotilla.events.transient import ConversationTyping
from flotilla.http import CurrentApp, NotFoundError, Routes, Who
from flotilla.security.reach import check_mine

from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.store import conversations

routes = Routes("/v1/conversations", tag="conversations")


@routes.post(
    "/{conversation_id}/typing", permission="messages:send", reach="rows", status_code=204, audited="nothing"
)
async def say_typing(conversation_id: UUID, app: CurrentApp, who: Who) -> None:
    """Tell colleagues, and the customer where the channel can show it, that one is writing.

    It is shown for some five seconds: say it again, every three or so, for as long as one writes.
    """
    async with app.db.transaction(who.orgs) as tx:
        row = await tx.fetchrow(conversations.READ, who.org, conversation_id)
    if row is None:
        raise NotFoundError("There is no such conversation.")
    check_mine(who, "messages:send", row["assignee_id"])
    typing = ConversationTyping(
        conversation_id=conversation_id,
        account_id=row["account_id"],
        channel=row["channel"],
        chat=row["chat"],
        user_id=who.user_id,
    )
    await app.transient.tell(typing, org=who.org, audience=AUDIENCE)
