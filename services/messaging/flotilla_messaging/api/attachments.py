"""Attachments: a file comes in parts, is put together, and is fetched by a link that expires."""

import base64
import binascii
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import Query, Request, Response
from flotilla.app import App
from flotilla.events.threads import AttachmentStored
from flotilla.http import (
    ConflictError,
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
)
from flotilla.http.bodies import Shown, Written, file_answer, raw_body
from flotilla.http.sorting import ByTime
from flotilla.problems import GoneError, TooLargeError
from flotilla.security.principal import Principal
from flotilla.security.reach import check_mine
from flotilla.security.sealing import UnsealError
from flotilla.store.files import Files
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import AfterValidator, Field, StringConstraints
from starlette.responses import StreamingResponse

from flotilla_messaging import filing
from flotilla_messaging.api.conversations import NO_CONVERSATION
from flotilla_messaging.domain.attachments import MAX_PART, MAX_PARTS, Attachment
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.store import attachments as store
from flotilla_messaging.store import conversations

of_conversation = Routes("/v1/conversations/{conversation_id}/attachments", tag="attachments")
routes = Routes("/v1/attachments", tag="attachments")

LINK_LIVES: Final = timedelta(minutes=10)
PLACE: Final = b"attachment link"


def _name(text: str) -> str:
    if not text.isprintable() or "/" in text or "\\" in text:
        raise ValueError("has characters that no file name has")
    return text


FileName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_name)
]


class AttachmentIn(Written):
    """A file that shall come."""

    name: FileName = Field(examples=["offer.pdf"])
    message_id: UUID | None = Field(default=None, description="The message or note it belongs to.")


class CompletionIn(Written):
    """All of it has come."""

    parts: int = Field(ge=1, le=MAX_PARTS, description="How many there are.")


class AttachmentOut(Shown):
    """A file of a conversation; what is known of its bytes is null until all have come."""

    id: UUID
    conversation_id: UUID
    message_id: UUID | None
    name: str
    state: str
    content_type: str | None = Field(description="By its bytes, whatever its name says.")
    size: int | None
    sha256: str | None
    created_by: str
    created_at: datetime


class LinkedOut(AttachmentOut):
    """A file, and where to fetch it."""

    download_url: str | None = Field(
        description="Needs no token: whoever has it may fetch the file, until it expires."
    )
    expires_at: datetime | None


class Link(msgspec.Struct, frozen=True):
    """What a download link says, sealed."""

    org: UUID
    attachment_id: UUID
    until: datetime


@of_conversation.get("", permission="conversations:read", reach="rows")
async def list_attachments(
    conversation_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[AttachmentOut]:
    """What was stored in a conversation, the newest first."""
    if not await tx.fetchval(store.CONVERSATION, who.org, conversation_id):
        raise NotFoundError(NO_CONVERSATION)
    order = BY_TIME[sort]
    after = query.place(sort, order)
    found = await store.listing(tx, who.org, conversation_id, order, after, query.limit + 1)
    return query.page([AttachmentOut.model_validate(each) for each in found], sort, order)


@of_conversation.post("", permission="conversations:write", reach="rows", status_code=201)
async def begin_attachment(
    conversation_id: UUID, body: AttachmentIn, tx: Tx, who: Who, response: Response
) -> AttachmentOut:
    """Begin an upload: then come its parts, and its completion, within a day."""
    if body.message_id and not await store.belongs(tx, who.org, conversation_id, body.message_id):
        raise UnprocessableError(
            "Name a message of this conversation.",
            errors=[{"pointer": "/message_id", "detail": "no such message"}],
        )
    begun = await store.add(
        tx, who.org, tx.app.new_id(), conversation_id, body.message_id, body.name, who.actor
    )
    if begun is None:
        raise NotFoundError(NO_CONVERSATION)
    filing.give_up_later(tx, begun)
    response.headers["Location"] = f"/v1/attachments/{begun.id}"
    return AttachmentOut.model_validate(begun)


@routes.put(
    "/{attachment_id}/parts",
    permission="conversations:write",
    reach="rows",
    status_code=204,
    sent=raw_body(),
    audited="nothing",
)
async def upload_attachment_part(
    attachment_id: UUID,
    number: Annotated[int, Query(ge=1, le=MAX_PARTS)],
    request: Request,
    app: CurrentApp,
    who: Who,
) -> None:
    """A part of the file as it is, cut anywhere: at most 1 MiB, 25 of them, numbered from 1; again replaces it."""
    async with app.db.transaction(who.orgs) as tx:
        found = await _mine(tx, who, attachment_id)
    if found.state != "uploading":
        raise ConflictError("All of it has come already.")
    size = 0
    async with filing.files_of(app).writing(found.part(number)) as sink:
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_PART:
                raise TooLargeError(f"A part has at most {MAX_PART} bytes: send the file in several.")
            await sink.write(piece)
        if not size:
            raise UnprocessableError("The part is empty.")


@routes.post("/{attachment_id}/complete", permission="conversations:write", reach="rows")
async def complete_attachment(attachment_id: UUID, body: CompletionIn, work: Work) -> LinkedOut:
    """Put the parts together; said twice, the first time stays."""
    org, app = work.who.org, work.app
    async with app.db.transaction(work.who.orgs) as reading:
        found = await _mine(reading, work.who, attachment_id)
    if found.state == "stored":
        return _linked(app, found)
    try:
        filed = await filing.put_together(app, found, body.parts)
    except filing.PartMissingError as error:
        raise ConflictError(f"Part {error.number} has not come.") from None
    tx = await work.begin()
    stored = await store.stored(tx, found, filed.object, filed.content_type, filed.size, filed.sha256)
    if stored is None:
        return _linked(app, await _there(tx, org, attachment_id))
    filing.remove_parts(tx, stored)
    tx.emit(_told(stored, filed), org=org, sequence=stored.sequence, audience=AUDIENCE)
    return _linked(app, stored)


@routes.get("/{attachment_id}", permission="conversations:read", reach="rows")
async def read_attachment(attachment_id: UUID, tx: Tx, who: Who) -> LinkedOut:
    """One file, with a link that fetches it for ten minutes."""
    return _linked(tx.app, await _there(tx, who.org, attachment_id))


@routes.get(
    "/{attachment_id}/content",
    permission="public",
    limit="open",
    response_class=Response,
    responses=file_answer("*/*"),
)
async def fetch_attachment(
    attachment_id: UUID, app: CurrentApp, token: Annotated[str, Query(max_length=1000)]
) -> Response:
    """The file itself, by the link that was given: always to be saved, never shown in the page."""
    link = _opened(app, token)
    if link is None or link.attachment_id != attachment_id:
        raise NotFoundError("This link leads nowhere.")
    if link.until < datetime.now(UTC):
        raise GoneError("This link has expired: ask for the attachment again.")
    async with app.db.transaction(link.org) as tx:
        found = await store.read(tx, link.org, attachment_id)
    files = filing.files_of(app)
    if found is None or found.object is None or await files.size(found.object) is None:
        raise GoneError("The file is no longer there.")
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        "content-length": str(found.size),
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "private, no-store",
    }
    return StreamingResponse(_bytes(files, found.object), media_type=found.content_type, headers=headers)


async def _bytes(files: Files, path: str) -> AsyncIterator[bytes]:
    async for piece in files.read(path):
        yield piece


async def _there(tx: Transaction, org: UUID, attachment_id: UUID) -> Attachment:
    found = await store.read(tx, org, attachment_id)
    if found is None:
        raise NotFoundError("There is no attachment with this id.")
    return found


async def _mine(tx: Transaction, who: Principal, attachment_id: UUID) -> Attachment:
    """One that they may change, by whose conversation it is in."""
    found = await _there(tx, who.org, attachment_id)
    conversation = await conversations.read(tx, who.org, found.conversation_id)
    check_mine(who, "conversations:write", conversation.assignee_id if conversation else None)
    return found


def _linked(app: App, attachment: Attachment) -> LinkedOut:
    known: dict[str, Any] = {name: getattr(attachment, name) for name in AttachmentOut.model_fields}
    if attachment.state != "stored":
        return LinkedOut(**known, download_url=None, expires_at=None)
    until = datetime.now(UTC) + LINK_LIVES
    said = msgspec.msgpack.encode(Link(attachment.organization_id, attachment.id, until))
    token = base64.urlsafe_b64encode(app.keyring.seal(said, PLACE)).decode()
    url = f"{app.settings.public_url}/v1/attachments/{attachment.id}/content?token={token}"
    return LinkedOut(**known, download_url=url, expires_at=until)


def _opened(app: App, token: str) -> Link | None:
    try:
        sealed = base64.urlsafe_b64decode(token.encode("ascii"))
        return msgspec.msgpack.decode(app.keyring.open(sealed, PLACE), type=Link)
    except (UnsealError, binascii.Error, ValueError):
        return None


def _told(stored: Attachment, filed: filing.Filed) -> AttachmentStored:
    return AttachmentStored(
        attachment_id=stored.id,
        conversation_id=stored.conversation_id,
        message_id=stored.message_id,
        name=stored.name,
        content_type=filed.content_type,
        size=filed.size,
        sha256=filed.sha256,
        stored_by=stored.created_by,
        stored_at=datetime.now(UTC),
    )
