"""/v1/companies."""

from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from fastapi import Query, Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName
from flotilla.security.reach import check_mine, owner_of_new
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field

from flotilla_crm import commands
from flotilla_crm.api.timeline import ByMoment, EntryOut, timeline_page
from flotilla_crm.api.values import CustomFields, Domain, Name, Tags, check_known
from flotilla_crm.domain.contacts import Company
from flotilla_crm.store import contacts as store

companies = Routes("/v1/companies", tag="companies")

ORDERS: Final = {**BY_TIME, **BY_NAME}
TAKEN: Final = "Another company has this domain."
"""Also where whoever asks may not see which."""


class CompanyIn(Written):
    """A new company."""

    name: Name
    domain: Domain | None = None
    owner_id: UUID | None = None
    tags: Tags = Field(default_factory=list)
    custom_fields: CustomFields = Field(default_factory=dict)


class CompanyPatch(Patch):
    """What shall be different; a field that is left out stays. `custom_fields` is a JSON merge patch."""

    name: Name = ""
    domain: Domain | None = None
    owner_id: UUID | None = None
    tags: Tags = Field(default_factory=list)
    custom_fields: CustomFields = Field(default_factory=dict)


class CompanyOut(Shown):
    """A company."""

    id: UUID
    name: str
    domain: str | None
    owner_id: UUID | None
    tags: list[str]
    custom_fields: dict[str, Any]
    created_at: AwareDatetime
    updated_at: AwareDatetime


@companies.get("", permission="companies:read", reach="rows")
async def list_companies(
    tx: Tx,
    who: Who,
    query: PageQuery,
    domain: Annotated[Domain | None, Query()] = None,
    owner_id: UUID | None = None,
    sort: ByTimeOrName = "-created_at",
) -> Page[CompanyOut]:
    """The newest first, or by name."""
    order, filters = ORDERS[sort], {"owner_id": owner_id, "domain": domain}
    after = query.place(sort, order)
    found = await store.list_companies(tx, who.org, filters, order, after, query.limit + 1)
    return query.page([CompanyOut.model_validate(company) for company in found], sort, order)


@companies.post("", permission="companies:write", reach="rows", status_code=201)
async def create_company(body: CompanyIn, tx: Tx, who: Who, response: Response) -> CompanyOut:
    """Make a company; no two have the same domain."""
    await check_known(tx, who.org, {"owner_id": body.owner_id})
    await _check_domain_free(tx, who.org, body.domain)
    owner_id = owner_of_new(who, "companies:write", body.owner_id)
    try:
        company = await commands.create_company(tx, who, {**body.model_dump(), "owner_id": owner_id})
    except asyncpg.UniqueViolationError:
        raise ConflictError(TAKEN) from None
    set_etag(response, company.sequence)
    response.headers["Location"] = f"/v1/companies/{company.id}"
    return CompanyOut.model_validate(company)


@companies.get("/{company_id}", permission="companies:read", reach="rows")
async def read_company(company_id: UUID, tx: Tx, who: Who, response: Response) -> CompanyOut:
    """One company."""
    company = _there(await store.read_company(tx, who.org, company_id))
    set_etag(response, company.sequence)
    return CompanyOut.model_validate(company)


@companies.patch("/{company_id}", permission="companies:write", reach="rows")
async def change_company(
    company_id: UUID, body: CompanyPatch, tx: Tx, who: Who, request: Request, response: Response
) -> CompanyOut:
    """Change some fields; with If-Match, only the state that was read."""
    company = _there(await store.read_company(tx, who.org, company_id, lock=True))
    check_mine(who, "companies:write", company.owner_id)
    check_if_match(request, company.sequence)
    wanted = body.model_dump(include=body.model_fields_set)
    if wanted.get("owner_id") != company.owner_id:
        await check_known(tx, who.org, {"owner_id": wanted.get("owner_id")})
    if wanted.get("domain") != company.domain:
        await _check_domain_free(tx, who.org, wanted.get("domain"))
    try:
        company = await commands.change_company(tx, who, company, wanted)
    except asyncpg.UniqueViolationError:
        raise ConflictError(TAKEN) from None
    set_etag(response, company.sequence)
    return CompanyOut.model_validate(company)


@companies.get("/{company_id}/timeline", permission="companies:read", reach="rows")
async def read_company_timeline(
    company_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByMoment = "-at"
) -> Page[EntryOut]:
    """What happened with this company and its people while they belonged to it, the latest first."""
    _there(await store.read_company(tx, who.org, company_id))
    return await timeline_page(tx, who.org, {"company_id": company_id}, query, sort)


async def _check_domain_free(tx: Transaction, org: UUID, domain: str | None) -> None:
    taken = domain and await store.company_with_domain(tx, org, domain)
    if taken:
        raise ConflictError(
            TAKEN,
            errors=[{"pointer": "/domain", "detail": f"It belongs to /v1/companies/{taken}."}],
        )


def _there(company: Company | None) -> Company:
    if company is None:
        raise NotFoundError("There is no company with this id.")
    return company
