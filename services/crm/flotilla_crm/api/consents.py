"""/v1/contacts/{contact_id}/consents: what a person allowed, and what shows it."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from flotilla.http import Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.security.reach import check_mine
from flotilla.store.order import BY_TIME
from pydantic import AwareDatetime, Field

from flotilla_crm import consents as commands
from flotilla_crm.api.contacts import there
from flotilla_crm.api.values import Moment, NoteText
from flotilla_crm.domain.consents import Channel, LegalBasis, Purpose, Source, State
from flotilla_crm.store import consents as store

consents = Routes("/v1/contacts/{contact_id}/consents", tag="consents")
records = Routes("/v1/contacts/{contact_id}/consent-records", tag="consents")
Evidence = Annotated[NoteText, Field(max_length=2000)]


class ConsentIn(Written):
    """Something a person allowed, or no longer does."""

    channel: Channel
    purpose: Purpose
    state: State
    legal_basis: LegalBasis = "consent"
    source: Source
    evidence: Evidence | None = Field(
        default=None, description="What shows it: their words, a link, a paper's number."
    )
    said_at: Moment | None = Field(default=None, description="When they said it; now, where nothing is said.")


class RecordOut(Shown):
    """Something that was said."""

    id: UUID
    channel: str
    purpose: str
    state: State
    legal_basis: str
    source: str = Field(description="Where it was said; `merge`: by a contact that is this one now.")
    evidence: str | None
    actor: str | None
    said_at: AwareDatetime
    recorded_at: AwareDatetime


class ConsentOut(RecordOut):
    """How it stands, by what was said last."""


class ConsentsOut(Shown):
    """Everything that a person allowed or no longer does."""

    items: list[ConsentOut]


@consents.get("", permission="contacts:read", reach="rows")
async def list_consents(contact_id: UUID, tx: Tx, who: Who) -> ConsentsOut:
    """How everything stands; what is not listed, nobody has said anything about."""
    await there(tx, who.org, contact_id)
    found = await store.listing(tx, who.org, contact_id)
    return ConsentsOut(items=[ConsentOut.model_validate(each) for each in found])


@consents.post("", permission="contacts:write", reach="rows", status_code=201)
async def record_consent(contact_id: UUID, body: ConsentIn, tx: Tx, who: Who) -> ConsentOut:
    """Record what a person said: how it stands now. What is older than what stands is kept, and changes nothing.

    Marketing that is withdrawn, on whatever channel, stops sequences at once.
    """
    contact = await there(tx, who.org, contact_id, lock=True)
    check_mine(who, "contacts:write", contact.owner_id)
    said = {**body.model_dump(), "said_at": body.said_at or datetime.now(UTC)}
    return ConsentOut.model_validate(await commands.say(tx, who, contact_id, said))


@records.get("", permission="contacts:read", reach="rows")
async def list_consent_records(
    contact_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[RecordOut]:
    """Everything that was ever said, the latest recorded first."""
    await there(tx, who.org, contact_id)
    order = BY_TIME[sort]
    after = query.place(sort, order)
    found = await store.records(tx, who.org, contact_id, order, after, query.limit + 1)
    return query.page([RecordOut.model_validate(dict(row)) for row in found], sort, order)
