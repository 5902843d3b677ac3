"""/v1/notes."""

from uuid import UUID

from fastapi import Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, UnprocessableError, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from pydantic import AwareDatetime

from flotilla_crm import commands
from flotilla_crm.api.values import NoteText, check_known
from flotilla_crm.store import tasks as store

notes = Routes("/v1/notes", tag="notes")


class NoteIn(Written):
    """A new note, about a contact, a company or both."""

    text: NoteText
    contact_id: UUID | None = None
    company_id: UUID | None = None


class NoteOut(Shown):
    """A note."""

    id: UUID
    author_id: UUID
    text: str
    contact_id: UUID | None
    company_id: UUID | None
    created_at: AwareDatetime


@notes.get("", permission="notes:read", reach="rows")
async def list_notes(
    tx: Tx,
    who: Who,
    query: PageQuery,
    contact_id: UUID | None = None,
    company_id: UUID | None = None,
    sort: ByTime = "-created_at",
) -> Page[NoteOut]:
    """The newest first."""
    filters, order = {"contact_id": contact_id, "company_id": company_id}, BY_TIME[sort]
    found = await store.list_notes(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([NoteOut.model_validate(note) for note in found], sort, order)


@notes.post("", permission="notes:write", reach="rows", status_code=201)
async def create_note(body: NoteIn, tx: Tx, who: Who, response: Response) -> NoteOut:
    """Write something down for everybody who works with this contact or company."""
    if body.contact_id is None and body.company_id is None:
        raise UnprocessableError(
            "Say what the note is about.",
            errors=[{"pointer": "/contact_id", "detail": "Give this, or `company_id`, or both."}],
        )
    await check_known(tx, who.org, {"contact_id": body.contact_id, "company_id": body.company_id})
    note = await commands.create_note(tx, who, body.model_dump())
    response.headers["Location"] = f"/v1/notes/{note.id}"
    return NoteOut.model_validate(note)


@notes.get("/{note_id}", permission="notes:read", reach="rows")
async def read_note(note_id: UUID, tx: Tx, who: Who) -> NoteOut:
    """One note."""
    note = await store.read_note(tx, who.org, note_id)
    if note is None:
        raise NotFoundError("There is no note with this id.")
    return NoteOut.model_validate(note)
