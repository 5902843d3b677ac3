"""Conversations: the inbox, and what people do with one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events.messaging import (
    Conversation as ConversationEvent,
)
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationReopened,
    ConversationResolved,
    ConversationSnoozed,
    ConversationUpdated,
)
from flotilla.http import (
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    set_etag,
)
from flotilla.http.sorting import SORT, Several
from flotilla.security.permissions import ROLES
from flotilla.security.principal import Principal
from flotilla.security.reach import check_mine, only_owner
from flotilla.store.postgres import Transaction
from pydantic import Field

from flotilla_messaging import snooze
from flotilla_messaging.api.schemas import (
    ConversationOut,
    ConversationPatch,
    InboxConversationOut,
    SnoozeIn,
)
from flotilla_messaging.domain.conversations import Conversation, SnoozeError
from flotilla_messaging.events import AUDIENCE, conversation_event
from flotilla_messaging.store import bodies, conversations, lists, people

routes = Routes("/v1/conversations", tag="conversations")
Channel = Annotated[str, Field(pattern="^[a-z0-9_-]{1,50}$")]
Sorts = Annotated[Literal["-last_message_at", "last_message_at"], Query(description=SORT)]

NO_CONVERSATION = "There is no such conversation."


@routes.get("", permission="conversations:read", reach="rows")
async def list_conversations(
    app: CurrentApp,
    who: Who,
    query: PageQuery,
    state: Several[Literal["open", "snoozed", "resolved"]] = None,
    channel: Several[Channel] = None,
    assignee_id: Annotated[UUID | None, Query()] = None,
    unassigned: Annotated[bool, Query(description="Only those that are nobody's.")] = False,
    contact_id: Annotated[UUID | None, Query()] = None,
    sort: Sorts = "-last_message_at",
) -> Page[InboxConversationOut]:
    """The inbox: conversations with the newest message first, or those first that nobody wrote in for longest."""
    whose = assignee_id or only_owner("conversations")
    order = lists.ORDERS[sort]
    wanted = lists.InboxFilter(state, channel, whose, contact_id, unassigned)
    async with app.db.transaction(who.orgs) as tx:
        rows = await lists.inbox(tx, who.org, wanted, order, query.place(sort, order), query.limit)
    found = await bodies.texts(app, who.org, [row["last_message_id"] for row in rows[: query.limit]])
    read = query.page(rows, sort, order)
    items = [InboxConversationOut.shown(row, found) for row in read.items]
    return Page(items=items, next_cursor=read.next_cursor)


@routes.get("/{conversation_id}", permission="conversations:read", reach="rows")
async def read_conversation(
    conversation_id: UUID, app: CurrentApp, who: Who, response: Response
) -> InboxConversationOut:
    """One conversation; its ETag guards changes."""
    async with app.db.transaction(who.orgs) as tx:
        row = await lists.one(tx, who.org, conversation_id)
    if row is None:
        raise NotFoundError(NO_CONVERSATION)
    set_etag(response, row["sequence"])
    return InboxConversationOut.shown(row, await bodies.texts(app, who.org, [row["last_message_id"]]))


@routes.patch("/{conversation_id}", permission="conversations:write", reach="rows")
async def change_conversation(
    conversation_id: UUID, change: ConversationPatch, request: Request, response: Response, work: Work
) -> ConversationOut:
    """Give it to a person or to nobody, switch the AI on or off for it."""
    tx = await work.begin()
    before = await locked(tx, work.who, conversation_id)
    check_if_match(request, before.sequence)
    after = before
    if "assignee_id" in change.model_fields_set:
        await _check_assignee(tx, work.who.org, change.assignee_id)
        after = say(tx, ConversationAssigned, after, after.assigned(change.assignee_id))
    if change.ai_enabled is not None:
        after = say(tx, ConversationUpdated, after, after.with_ai(change.ai_enabled))
    return await saved(tx, after, response)


@routes.post("/{conversation_id}/snooze", permission="conversations:write", reach="rows")
async def snooze_conversation(
    conversation_id: UUID, wanted: SnoozeIn, request: Request, response: Response, work: Work
) -> ConversationOut:
    """Put it aside until then; it comes back by itself, or when the customer writes."""

    def put_aside(before: Conversation) -> Conversation:
        try:
            return before.snoozed(wanted.until, datetime.now(UTC))
        except SnoozeError as error:
            raise UnprocessableError(
                str(error), errors=[{"pointer": "/until", "detail": "not in the future, or too far"}]
            ) from None

    tx = await work.begin()
    before = await locked(tx, work.who, conversation_id)
    check_if_match(request, before.sequence)
    after = say(tx, ConversationSnoozed, before, put_aside(before))
    if after is not before:
        snooze.wake_at_end(tx, after)
    return await saved(tx, after, response)


@routes.post("/{conversation_id}/resolve", permission="conversations:write", reach="rows")
async def resolve_conversation(
    conversation_id: UUID, request: Request, response: Response, work: Work
) -> ConversationOut:
    """It is done, until the customer writes again; resolving it twice changes nothing."""
    return await _moved(
        conversation_id,
        ConversationResolved,
        lambda before: before.resolved(datetime.now(UTC)),
        request,
        response,
        work,
    )


@routes.post("/{conversation_id}/reopen", permission="conversations:write", reach="rows")
async def reopen_conversation(
    conversation_id: UUID, request: Request, response: Response, work: Work
) -> ConversationOut:
    """Take it up again; reopening an open one changes nothing."""
    return await _moved(conversation_id, ConversationReopened, Conversation.reopened, request, response, work)


async def _moved(
    conversation_id: UUID,
    kind: type[ConversationEvent],
    move: Callable[[Conversation], Conversation],
    request: Request,
    response: Response,
    work: Work,
) -> ConversationOut:
    tx = await work.begin()
    before = await locked(tx, work.who, conversation_id)
    check_if_match(request, before.sequence)
    return await saved(tx, say(tx, kind, before, move(before)), response)


async def locked(tx: Transaction, who: Principal, conversation_id: UUID) -> Conversation:
    """The conversation, held until the commit; a 404 problem where there is none, 403 where they may not change it."""
    found = await conversations.lock(tx, [(who.org, conversation_id)])
    if not found:
        raise NotFoundError(NO_CONVERSATION)
    check_mine(who, "conversations:write", found[0].assignee_id)
    return found[0]


async def _check_assignee(tx: Transaction, org: UUID, user_id: UUID | None) -> None:
    if user_id is None:
        return
    role = await tx.fetchval(people.ROLE_OF_ACTIVE, org, user_id)
    if role is None or "conversations:write" not in ROLES.get(role, frozenset()):
        raise UnprocessableError(
            "A conversation is given to an active member who works in the inbox.",
            errors=[{"pointer": "/assignee_id", "detail": "no such member"}],
        )


def say(
    tx: Transaction, kind: type[ConversationEvent], before: Conversation, after: Conversation
) -> Conversation:
    """Tell of a change, where there is one: the conversation after it."""
    if after is not before:
        tx.emit(
            conversation_event(kind, after, before),
            org=after.organization_id,
            sequence=after.sequence,
            audience=AUDIENCE,
        )
    return after


async def saved(tx: Transaction, after: Conversation, response: Response) -> ConversationOut:
    """Write it, and show it with its ETag."""
    await conversations.save(tx, [after])
    row = await lists.one(tx, after.organization_id, after.id)
    assert row is not None
    set_etag(response, after.sequence)
    return ConversationOut.of(row)
