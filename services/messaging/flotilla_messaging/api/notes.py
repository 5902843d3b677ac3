"""Notes: what people of the organization write to each other in a conversation."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.threads import MessageDeleted, MessageEdited, MessageNoted
from flotilla.events.websocket import NotificationRequested
from flotilla.http import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    Routes,
    UnprocessableError,
    Work,
    check_if_match,
    set_etag,
)
from flotilla.ids import new_id
from flotilla.security.principal import Principal
from flotilla.store.postgres import Transaction

from flotilla_messaging.api.conversations import locked
from flotilla_messaging.api.schemas import MessageOut, NoteEdit, NoteIn
from flotilla_messaging.domain.conversations import Conversation
from flotilla_messaging.domain.messages import Message, place_note
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.removal import remove_bodies
from flotilla_messaging.store import bodies, conversations, messages, people

notes = Routes("/v1/conversations/{conversation_id}/notes", tag="messages")
routes = Routes("/v1/messages", tag="messages")

MENTIONED: Final = "conversation.mentioned"
LONGEST_TOLD: Final = 500


@notes.post("", permission="conversations:write", reach="rows", status_code=201)
async def write_note(conversation_id: UUID, note: NoteIn, response: Response, work: Work) -> MessageOut:
    """Write a note where the customer does not see it; who is mentioned is told."""
    org, note_id = work.who.org, new_id()
    await bodies.write(work.app, [bodies.Body(org, note_id, note.text)])
    tx = await work.begin()
    before = await locked(tx, work.who, conversation_id)
    mentioned = list(dict.fromkeys(note.mentions))
    await _check_members(tx, org, mentioned)
    after, message = place_note(before, note_id, work.who.actor, datetime.now(UTC))
    await messages.insert(tx, [message])
    await conversations.save(tx, [after])
    noted = MessageNoted(
        **_told(after, message), text=note.text, mentions=mentioned, noted_at=message.sent_at
    )
    tx.emit(noted, org=org, sequence=message.sequence, audience=AUDIENCE)
    _tell_mentioned(tx, work, after, note.text, mentioned)
    response.headers["Location"] = f"/v1/messages/{note_id}"
    set_etag(response, message.sequence)
    return MessageOut.of(message, {"text": note.text})


@routes.patch("/{message_id}", permission="conversations:write", reach="rows")
async def edit_message(
    message_id: UUID, change: NoteEdit, request: Request, response: Response, work: Work
) -> MessageOut:
    """Say something else in a note of one's own. What a customer wrote or was sent is not changed: 409."""
    org, body_id = work.who.org, new_id()
    said = await _said(work, message_id)
    await bodies.write(work.app, [bodies.Body(org, body_id, change.text, edits=message_id)])
    tx = await work.begin()
    conversation, before = await _own_note(tx, request, work.who, message_id)
    now = datetime.now(UTC)
    after = before.edited(body_id, now)
    await messages.edit(tx, after)
    assert before.text_id is not None
    remove_bodies(tx, org, after, [before.text_id])
    edited = MessageEdited(
        **_told(conversation, after),
        text=change.text,
        edited_by=work.who.actor,
        edited_at=now,
        changed={"text": [said.get(before.text_id), change.text]},
    )
    tx.emit(edited, org=org, sequence=after.sequence, audience=AUDIENCE)
    set_etag(response, after.sequence)
    return MessageOut.of(after, {"text": change.text})


@routes.delete("/{message_id}", permission="conversations:write", reach="rows", status_code=204)
async def delete_message(message_id: UUID, request: Request, work: Work) -> None:
    """Take back a note of one's own: its place stays, its text goes. Owners and administrators may, too."""
    tx = await work.begin()
    conversation, before = await _own_note(tx, request, work.who, message_id, others=True)
    now = datetime.now(UTC)
    after = before.deleted(now)
    await messages.edit(tx, after)
    assert before.text_id is not None
    remove_bodies(tx, work.who.org, after, [before.text_id])
    deleted = MessageDeleted(**_told(conversation, after), deleted_by=work.who.actor, deleted_at=now)
    tx.emit(deleted, org=work.who.org, sequence=after.sequence, audience=AUDIENCE)


async def _said(work: Work, message_id: UUID) -> dict[UUID | None, str | None]:
    """What a note says before it is changed, by the body it has: whoever changes it meanwhile gives it another."""
    async with work.app.db.transaction(work.who.orgs) as reading:
        found = await messages.read(reading, work.who.org, message_id)
    texts = await bodies.texts(work.app, work.who.org, [found.text_id if found else None])
    return {id_: body["text"] for id_, body in texts.items()}


async def _own_note(
    tx: Transaction, request: Request, who: Principal, message_id: UUID, *, others: bool = False
) -> tuple[Conversation, Message]:
    """The note, held; problems where there is none, or it is not theirs."""
    found = await messages.read(tx, who.org, message_id)
    if found is None:
        raise NotFoundError("There is no such message.")
    conversation = await locked(tx, who, found.conversation_id)
    message = (await messages.lock(tx, [(who.org, message_id)]))[0]
    check_if_match(request, message.sequence)
    if message.direction != "note":
        raise ConflictError("What a customer wrote or was sent is not changed here: only notes are.")
    if message.deleted_at is not None:
        raise ConflictError("The note was deleted.")
    if message.author != who.actor and not (others and who.sees_everything):
        raise ForbiddenError("Notes are changed by who wrote them.")
    return conversation, message


async def _check_members(tx: Transaction, org: UUID, mentioned: Sequence[UUID]) -> None:
    rows = await tx.fetch(people.ROLES_OF_ACTIVE, [org] * len(mentioned), mentioned)
    known = {row["id"] for row in rows}
    errors = [
        {"pointer": f"/mentions/{place}", "detail": "no such member"}
        for place, user_id in enumerate(mentioned)
        if user_id not in known
    ]
    if errors:
        raise UnprocessableError("Mention active members.", errors=errors)


def _tell_mentioned(
    tx: Transaction, work: Work, conversation: Conversation, text: str, mentioned: Sequence[UUID]
) -> None:
    for user_id in mentioned:
        wish = NotificationRequested(
            notification_id=tx.app.new_id(),
            user_id=user_id,
            kind=MENTIONED,
            title="You were mentioned in a conversation",
            text=text[:LONGEST_TOLD],
            link=f"/conversations/{conversation.id}",
        )
        cause = replace(work.cause, request_id=wish.notification_id)
        tx.emit(wish, org=work.who.org, sequence=1, cause=cause, audience=f"user:{user_id}")


def _told(conversation: Conversation, message: Message) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "conversation_id": conversation.id,
        "position": message.position,
        "direction": message.direction,
        "channel": conversation.channel,
        "identity_id": message.identity_id,
        "contact_id": conversation.contact_id,
        "author": message.author,
    }
