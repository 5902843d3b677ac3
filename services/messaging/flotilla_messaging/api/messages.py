"""Messages: the history of a conversation, replies, and what a person decides of a send that isn't known."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import Query, Response
from flotilla.http import (
    ConflictError,
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    UnprocessableError,
    Who,
    Work,
    set_etag,
)
from flotilla.http.pages import page
from flotilla.ids import derived_id, new_id
from flotilla.security.reach import check_mine
from flotilla.store.postgres import Transaction

from flotilla_messaging.api.conversations import NO_CONVERSATION
from flotilla_messaging.api.schemas import MessageOut, ReplyIn, ResolutionIn
from flotilla_messaging.domain.conversations import Conversation, text_length, text_limit
from flotilla_messaging.domain.messages import Message, MessageState, Reply, send_again
from flotilla_messaging.events import AUDIENCE, send_requested
from flotilla_messaging.handlers.deliveries import say_reached, unanswer_failed
from flotilla_messaging.outgoing import Queued, UnknownConversationError, queue
from flotilla_messaging.store import bodies, conversations, lists, messages

history = Routes("/v1/conversations/{conversation_id}/messages", tag="messages")
routes = Routes("/v1/messages", tag="messages")

Position = Annotated[int, msgspec.Meta(ge=0, le=lists.END)]
EPOCH = datetime.fromtimestamp(0, UTC)


@history.get("", permission="conversations:read", reach="rows")
async def list_messages(
    conversation_id: UUID,
    app: CurrentApp,
    who: Who,
    query: PageQuery,
    direction: Annotated[
        Literal["older", "newer"],
        Query(description="`older`: from the newest message back; `newer`: from the first one on."),
    ] = "older",
) -> Page[MessageOut]:
    """The history, at the same cost at any depth; a cursor serves both directions."""
    key = query.after(Position)
    async with app.db.transaction(who.orgs) as tx:
        if await conversations.read(tx, who.org, conversation_id) is None:
            raise NotFoundError(NO_CONVERSATION)
        found = await lists.history(
            tx,
            who.org,
            conversation_id,
            newer=direction == "newer",
            after=key[0] if key else None,
            limit=query.limit,
        )
    said = await bodies.texts(app, who.org, [each.text_id for each in found[: query.limit]])
    read = page(found, query.limit, key=lambda each: (each.position,))
    return Page(
        items=[MessageOut.of(each, said.get(each.text_id or each.id)) for each in read.items],
        next_cursor=read.next_cursor,
    )


@history.post("", permission="messages:send", reach="rows", status_code=201)
async def reply(conversation_id: UUID, wanted: ReplyIn, response: Response, work: Work) -> MessageOut:
    """Queue a message to the customer. With an Idempotency-Key, repeating the request sends nothing twice."""
    org = work.who.org
    async with work.app.db.transaction(work.who.orgs) as tx:
        conversation = await conversations.read(tx, org, conversation_id)
    if conversation is None:
        raise NotFoundError(NO_CONVERSATION)
    check_mine(work.who, "messages:send", conversation.assignee_id)
    _check_length(conversation, wanted.text)
    message_id = _message_id(work, conversation_id, wanted.text)
    await bodies.write(work.app, [bodies.Body(org, message_id, wanted.text)])
    tx = await work.begin()
    asked = Reply(message_id, author=work.who.actor, draft_id=None, queued_at=datetime.now(UTC))
    try:
        queued = await queue(tx, [Queued(org, conversation_id, asked, wanted.text)])
    except UnknownConversationError:
        raise NotFoundError(NO_CONVERSATION) from None
    if not queued:
        raise ConflictError("This Idempotency-Key was used for a reply that was queued long ago.")
    response.headers["Location"] = f"/v1/messages/{message_id}"
    return MessageOut.of(queued[0], {"text": wanted.text})


@routes.get("/{message_id}", permission="conversations:read", reach="rows")
async def read_message(message_id: UUID, app: CurrentApp, who: Who, response: Response) -> MessageOut:
    """One message; its ETag guards a change of it."""
    message = await _read(app, who, message_id)
    set_etag(response, message.sequence)
    said = await bodies.texts(app, who.org, [message.text_id])
    return MessageOut.of(message, said.get(message.text_id or message_id))


@routes.post("/{message_id}/resolution", permission="messages:send", reach="rows")
async def resolve_message(message_id: UUID, decision: ResolutionIn, work: Work) -> MessageOut:
    """Say what became of a message whose sending is not known, or have it sent once more.

    A failed message may be sent again, or be said to have been sent after all. Nothing else is undone: 409.
    """
    found = await _read(work.app, work.who, message_id)
    said = (await bodies.texts(work.app, work.who.org, [message_id])).get(message_id) or {}
    tx = await work.begin()
    conversation = (await conversations.lock(tx, [(work.who.org, found.conversation_id)]))[0]
    check_mine(work.who, "messages:send", conversation.assignee_id)
    before = (await messages.lock(tx, [(work.who.org, message_id)]))[0]
    if decision.outcome == "send_again":
        after = await _send_again(tx, conversation, before, said.get("text"))
    else:
        after = await _settle(tx, conversation, before, MessageState(decision.outcome))
    return MessageOut.of(after, said)


async def _read(app: CurrentApp, who: Who, message_id: UUID) -> Message:
    async with app.db.transaction(who.orgs) as tx:
        message = await messages.read(tx, who.org, message_id)
        seen = message and await conversations.read(tx, who.org, message.conversation_id)
    if message is None or seen is None:
        raise NotFoundError("There is no such message.")
    return message


def _message_id(work: Work, conversation_id: UUID, text: str) -> UUID:
    """Of the Idempotency-Key where there is one, so that it is the same message even after the key expired.

    And of the text: a body that stands already, of a request that failed, is never that of another text.
    """
    key = work.idempotency_key
    if key is None:
        return new_id()
    return derived_id(EPOCH, "reply", str(work.who.org), work.who.actor, str(conversation_id), key, text)


def _check_length(conversation: Conversation, text: str) -> None:
    limit = text_limit(conversation.channel)
    if text_length(conversation.channel, text) > limit:
        raise UnprocessableError(
            f"The channel {conversation.channel} takes at most {limit} characters.",
            errors=[{"pointer": "/text", "detail": f"longer than {limit} characters"}],
        )


async def _settle(
    tx: Transaction, conversation: Conversation, before: Message, outcome: MessageState
) -> Message:
    allowed = {MessageState.UNKNOWN} | ({MessageState.FAILED} if outcome is MessageState.SENT else set())
    if before.state not in allowed:
        raise ConflictError(f"The message is {before.state}: there is nothing to decide.")
    reason = "A person said that it was not sent." if outcome is MessageState.FAILED else None
    after = before.reached(outcome, datetime.now(UTC), reason=reason)
    say_reached(tx, conversation, before, [after])
    await messages.save(tx, [after])
    held = {(conversation.organization_id, conversation.id): conversation}
    await unanswer_failed(tx, held, [after])
    return after


async def _send_again(
    tx: Transaction, conversation: Conversation, before: Message, text: str | None
) -> Message:
    if before.state not in (MessageState.UNKNOWN, MessageState.FAILED):
        raise ConflictError(f"The message is {before.state}: it is not sent again.")
    if not text:
        raise ConflictError("Its text was erased: there is nothing to send.")
    now, after = send_again(conversation, before, datetime.now(UTC))
    await messages.save(tx, [after])
    await conversations.save(tx, [now])
    tx.emit(
        send_requested(now, after, text),
        org=after.organization_id,
        sequence=after.sequence,
        audience=AUDIENCE,
    )
    return after
