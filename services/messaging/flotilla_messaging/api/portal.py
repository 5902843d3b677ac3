"""/v1/portal/conversations: what a client of the organization and it wrote to each other."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from flotilla.http import CurrentApp, NotFoundError, Page, PageQuery, Routes, Who
from flotilla.http.sorting import Sort
from flotilla.store.order import Order, both
from pydantic import BaseModel, Field

from flotilla_messaging.api.conversations import NO_CONVERSATION
from flotilla_messaging.api.messages import Position
from flotilla_messaging.domain.messages import Message
from flotilla_messaging.store import bodies
from flotilla_messaging.store import clients as store
from flotilla_messaging.store.lists import ORDERS

routes = Routes("/v1/portal/conversations", tag="portal")
MESSAGES = both("position", Order(("position",), (Position,)))


class ClientConversationOut(BaseModel):
    """A conversation as the customer in it sees it."""

    id: UUID
    channel: str
    state: Literal["open", "snoozed", "resolved"]
    opened_at: datetime
    last_message_at: datetime


class ClientMessageOut(BaseModel):
    """A message as the customer sees it; `text` is null where it was erased or deleted."""

    id: UUID
    position: int
    direction: Literal["in", "out"] = Field(description="`in`: of the customer; `out`: to them.")
    text: str | None
    sent_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None

    @classmethod
    def of(cls, message: Message, body: Mapping[str, Any] | None) -> "ClientMessageOut":
        """Without who of the organization wrote it, and how it went out."""
        shown = {name: getattr(message, name) for name in cls.model_fields if name != "text"}
        return cls(**shown, text=(body or {}).get("text"))


@routes.get("", permission="profile:read")
async def list_own_conversations(
    app: CurrentApp,
    who: Who,
    query: PageQuery,
    sort: Sort[Literal["-last_message_at", "last_message_at"]] = "-last_message_at",
) -> Page[ClientConversationOut]:
    """The caller's own, the latest first: those of the contact that they were invited as; nobody else has any."""
    order = ORDERS[sort]
    after = query.place(sort, order)
    async with app.db.transaction(who.orgs) as tx:
        found = await store.conversations(tx, who.org, who.user_id, order, after, query.limit + 1)
    read = query.page(found, sort, order)
    return Page(items=[ClientConversationOut(**each) for each in read.items], next_cursor=read.next_cursor)


@routes.get("/{conversation_id}/messages", permission="profile:read")
async def list_own_messages(
    conversation_id: UUID,
    app: CurrentApp,
    who: Who,
    query: PageQuery,
    sort: Sort[Literal["-position", "position"]] = "-position",
) -> Page[ClientMessageOut]:
    """What was said in a conversation of the caller's own, the newest first; colleagues' notes are not."""
    order = MESSAGES[sort]
    after = query.place(sort, order)
    async with app.db.transaction(who.orgs) as tx:
        if not await store.is_own(tx, who.org, conversation_id, who.user_id):
            raise NotFoundError(NO_CONVERSATION)
        found = await store.messages(tx, who.org, conversation_id, order, after, query.limit + 1)
    said = await bodies.texts(app, who.org, [each.text_id for each in found[: query.limit]])
    shown = [ClientMessageOut.of(each, said.get(each.text_id or each.id)) for each in found]
    return query.page(shown, sort, order)
