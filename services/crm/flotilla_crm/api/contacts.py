"""/v1/contacts."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import Page, PageQuery, Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.pages import page
from flotilla.http.sorting import ByTimeOrName
from flotilla.security.reach import check_mine, owner_of_new
from flotilla.store.order import Order, both, by_name
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field

from flotilla_crm import commands, merging
from flotilla_crm.api.timeline import ByMoment, EntryOut, timeline_page
from flotilla_crm.api.values import (
    FIRST_ID,
    CustomFields,
    Email,
    Language,
    Name,
    Phone,
    Sought,
    Tag,
    Tags,
    check_known,
)
from flotilla_crm.domain.contacts import Contact
from flotilla_crm.store import contacts as store

contacts = Routes("/v1/contacts", tag="contacts")
ORDERS: Final = {
    **both("created_at", Order(("c.id",), (UUID,))),
    **by_name("coalesce(c.name, '')", "c.id"),
}
Q = "Names with a word that begins with this; where there are none, names like it."


class ContactIn(Written):
    """A new contact."""

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    language: Language | None = None
    company_id: UUID | None = None
    owner_id: UUID | None = None
    tags: Tags = Field(default_factory=list)
    custom_fields: CustomFields = Field(default_factory=dict)


class ContactPatch(Patch):
    """What shall be different; a field that is left out stays. `custom_fields` is a JSON merge patch."""

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    language: Language | None = None
    company_id: UUID | None = None
    owner_id: UUID | None = None
    tags: Tags = Field(default_factory=list)
    custom_fields: CustomFields = Field(default_factory=dict)


class ContactOut(Shown):
    """A contact."""

    id: UUID
    name: str | None
    email: str | None
    phone: str | None
    language: str | None
    company_id: UUID | None
    owner_id: UUID | None
    tags: list[str]
    source: str
    custom_fields: dict[str, Any]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class IdentityOut(Shown):
    """A person on a channel."""

    identity_id: UUID
    channel: str
    account_id: UUID
    address: str | None
    name: str | None
    created_at: AwareDatetime


class ContactDetailOut(ContactOut):
    """A contact and the channels on which it is known."""

    identities: list[IdentityOut]


@contacts.get("", permission="contacts:read", reach="rows")
async def list_contacts(
    tx: Tx,
    who: Who,
    query: PageQuery,
    q: Annotated[Sought | None, Query(description=Q)] = None,
    tag: Annotated[Tag | None, Query()] = None,
    owner_id: UUID | None = None,
    company_id: UUID | None = None,
    sort: ByTimeOrName = "-created_at",
) -> Page[ContactOut]:
    """The newest first, or in the order of `sort`; with `q` the best match first, whatever `sort` says."""
    filters = store.Filters(owner_id, company_id, tag)
    if q is None:
        order = ORDERS[sort]
        after = query.place(sort, order)
        found = await store.list_contacts(tx, who.org, filters, order, after, query.limit + 1)
        return query.page([_out(contact) for contact in found], sort, order)
    rank, last = query.after(float, UUID) or (-1.0, FIRST_ID)
    ranked = await store.search_contacts(tx, who.org, q, filters, (rank, last), query.limit + 1)
    ranks = {contact.id: rank for contact, rank in ranked}
    shown = [_out(contact) for contact, _ in ranked]
    return page(shown, query.limit, key=lambda contact: (ranks[contact.id], contact.id))


@contacts.post("", permission="contacts:write", reach="rows", status_code=201)
async def create_contact(body: ContactIn, tx: Tx, who: Who, response: Response) -> ContactOut:
    """Make a contact by hand or by a program."""
    await check_known(tx, who.org, {"owner_id": body.owner_id, "company_id": body.company_id})
    owner_id = owner_of_new(who, "contacts:write", body.owner_id)
    contact = await commands.create_contact(tx, who, {**body.model_dump(), "owner_id": owner_id})
    set_etag(response, contact.sequence)
    response.headers["Location"] = f"/v1/contacts/{contact.id}"
    return _out(contact)


@contacts.get("/{contact_id}", permission="contacts:read", reach="rows")
async def read_contact(contact_id: UUID, tx: Tx, who: Who, response: Response) -> ContactDetailOut:
    """One contact."""
    contact = await there(tx, who.org, contact_id)
    rows = await store.identities_of(tx, who.org, contact_id)
    set_etag(response, contact.sequence)
    identities = [IdentityOut(**dict(row)) for row in rows]
    return ContactDetailOut(**_out(contact).model_dump(), identities=identities)


@contacts.patch("/{contact_id}", permission="contacts:write", reach="rows")
async def change_contact(
    contact_id: UUID, body: ContactPatch, tx: Tx, who: Who, request: Request, response: Response
) -> ContactOut:
    """Change some fields; with If-Match, only the state that was read."""
    contact = await there(tx, who.org, contact_id, lock=True)
    check_mine(who, "contacts:write", contact.owner_id)
    check_if_match(request, contact.sequence)
    wanted = body.model_dump(include=body.model_fields_set)
    new = {field: wanted[field] for field in ("owner_id", "company_id") if field in wanted}
    await check_known(
        tx, who.org, {field: id_ for field, id_ in new.items() if id_ != getattr(contact, field)}
    )
    contact = await commands.change_contact(tx, who, contact, wanted)
    set_etag(response, contact.sequence)
    return _out(contact)


@contacts.delete("/{contact_id}", permission="contacts:delete", reach="rows", status_code=204)
async def delete_contact(contact_id: UUID, tx: Tx, who: Who, request: Request) -> None:
    """Remove a contact for good, with its notes and timeline; tasks stay, about nobody.

    Its channel identities are nobody's then: when one writes again, that makes a new contact.
    """
    contact = await there(tx, who.org, contact_id, lock=True)
    check_mine(who, "contacts:delete", contact.owner_id)
    check_if_match(request, contact.sequence)
    await merging.delete(tx, who, contact)


@contacts.get("/{contact_id}/timeline", permission="contacts:read", reach="rows")
async def read_contact_timeline(
    contact_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByMoment = "-at"
) -> Page[EntryOut]:
    """What happened with this person, the latest first."""
    await there(tx, who.org, contact_id)
    return await timeline_page(tx, who.org, {"contact_id": contact_id}, query, sort)


async def there(tx: Transaction, org: UUID, contact_id: UUID, *, lock: bool = False) -> Contact:
    """The contact; a 404 problem where there never was one, 410 where it is no more."""
    contact = await store.read_contact(tx, org, contact_id, lock=lock)
    if contact is None:
        raise await merging.missing(tx, org, contact_id)
    return contact


def _out(contact: Contact) -> ContactOut:
    return ContactOut.model_validate(contact)
