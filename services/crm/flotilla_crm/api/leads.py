"""/v1/leads."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import (
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import SORT, Several
from flotilla.security.reach import check_mine
from flotilla.store.order import Order, both
from msgspec import Meta
from pydantic import AwareDatetime, Field

from flotilla_crm import leads as commands
from flotilla_crm.api.values import check_known
from flotilla_crm.domain.leads import Lead, LeadStatus
from flotilla_crm.domain.routing import Mode
from flotilla_crm.store import leads as store
from flotilla_crm.store import routing

leads = Routes("/v1/leads", tag="leads")
Sorts = Annotated[Literal["-score", "score", "-created_at", "created_at"], Query(description=SORT)]
ORDERS: Final = {
    **both("score", Order(("l.score", "l.id"), (Annotated[int, Meta(ge=0, le=100)], UUID))),
    **both("created_at", Order(("l.id",), (UUID,))),
}
Status = Literal["new", "working", "unqualified", "converted"]
Source = Annotated[str, Field(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$", max_length=50, examples=["trade-fair"])]


class LeadPatch(Patch):
    """What shall be different; a field that is left out stays. /convert says that they bought."""

    owner_id: UUID | None = None
    status: Literal["new", "working", "unqualified"] = "new"
    source: Source = "conversation"


class ConvertIn(Written):
    """What became of it."""

    deal_id: UUID | None = None


class RoutingIn(Written):
    """How leads find their owners."""

    mode: Literal["off", "round_robin", "least_loaded"]
    contact_owner_first: bool = Field(
        default=True, description="Whose contact it is gets the lead, if they are there."
    )
    member_ids: Annotated[list[UUID], Field(max_length=200, description="Who takes leads.")] = Field(
        default_factory=list
    )


class ReasonOut(Shown):
    """What one rule gave to the score."""

    rule: str
    points: int
    most: int
    because: str


class LeadOut(Shown):
    """A lead."""

    id: UUID
    contact_id: UUID
    conversation_id: UUID | None
    company_id: UUID | None
    owner_id: UUID | None
    status: Status
    source: str
    score: int
    reasons: list[ReasonOut]
    deal_id: UUID | None
    qualified_at: AwareDatetime
    converted_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class RoutingOut(Shown):
    """How leads find their owners."""

    mode: Literal["off", "round_robin", "least_loaded"]
    contact_owner_first: bool
    member_ids: list[UUID]


@leads.get("", permission="leads:read", reach="rows")
async def list_leads(
    tx: Tx,
    who: Who,
    query: PageQuery,
    status: Several[Status] = None,
    owner_id: UUID | None = None,
    contact_id: UUID | None = None,
    source: Annotated[str | None, Query(max_length=50, pattern=r"^[a-z0-9_-]+$")] = None,
    sort: Sorts = "-score",
) -> Page[LeadOut]:
    """The highest score first, or in the order of `sort`."""
    filters = {"status": status, "owner_id": owner_id, "contact_id": contact_id, "source": source}
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([LeadOut.model_validate(lead) for lead in found], sort, order)


@leads.get("/routing", permission="leads:read", reach="free")
async def read_lead_routing(tx: Tx, who: Who, response: Response) -> RoutingOut:
    """How leads find their owners; off until somebody sets it: then they are nobody's."""
    return _routing(await routing.read(tx, who.org), response)


@leads.put("/routing", permission="leads:configure")
async def set_lead_routing(
    body: RoutingIn, tx: Tx, who: Who, request: Request, response: Response
) -> RoutingOut:
    """Set how new leads find their owners; those there are stay whose they are."""
    rule = await routing.read(tx, who.org, lock=True)
    check_if_match(request, rule.sequence)
    members = list(dict.fromkeys(body.member_ids))
    wrong = await routing.cannot_take(tx, who.org, members)
    if wrong:
        raise UnprocessableError(
            "Not everybody named takes work here.",
            errors=[
                {"pointer": f"/member_ids/{body.member_ids.index(id_)}", "detail": "Nobody who takes work."}
                for id_ in wrong
            ],
        )
    saved = await routing.save(
        tx, who.org, Mode(body.mode), members, contact_owner_first=body.contact_owner_first
    )
    note_change(_routing(rule, response), shown := _routing(saved, response))
    return shown


@leads.get("/{lead_id}", permission="leads:read", reach="rows")
async def read_lead(lead_id: UUID, tx: Tx, who: Who, response: Response) -> LeadOut:
    """One lead, and why its score is what it is."""
    return _shown(_there(await store.read(tx, who.org, lead_id)), response)


@leads.patch("/{lead_id}", permission="leads:write", reach="rows")
async def change_lead(
    lead_id: UUID, body: LeadPatch, tx: Tx, who: Who, work: Work, request: Request, response: Response
) -> LeadOut:
    """Change some fields; with If-Match, only the state that was read."""
    lead = _there(await store.read(tx, who.org, lead_id, lock=True))
    check_mine(who, "leads:write", lead.owner_id)
    check_if_match(request, lead.sequence)
    wanted: dict[str, Any] = body.model_dump(include=body.model_fields_set)
    if "status" in wanted:
        wanted["status"] = LeadStatus(wanted["status"])
    if wanted.get("owner_id") != lead.owner_id:
        await check_known(tx, who.org, {"owner_id": wanted.get("owner_id")})
    return _shown(await commands.change(tx, who.org, lead, wanted, work.cause), response)


@leads.post("/{lead_id}/convert", permission="leads:write", reach="rows")
async def convert_lead(
    lead_id: UUID,
    tx: Tx,
    who: Who,
    work: Work,
    request: Request,
    response: Response,
    body: ConvertIn | None = None,
) -> LeadOut:
    """Say by hand that they bought; a closed deal with them says it by itself."""
    lead = _there(await store.read(tx, who.org, lead_id, lock=True))
    check_mine(who, "leads:write", lead.owner_id)
    check_if_match(request, lead.sequence)
    deal_id = (body or ConvertIn()).deal_id
    return _shown(await commands.convert(tx, who.org, lead, deal_id, work.cause), response)


def _shown(lead: Lead, response: Response) -> LeadOut:
    set_etag(response, lead.sequence)
    return LeadOut.model_validate(lead)


def _routing(rule: routing.Rule, response: Response) -> RoutingOut:
    set_etag(response, rule.sequence)
    return RoutingOut(
        mode=rule.mode.value,
        contact_owner_first=rule.contact_owner_first,
        member_ids=list(rule.members),
    )


def _there(lead: Lead | None) -> Lead:
    if lead is None:
        raise NotFoundError("There is no lead with this id.")
    return lead
