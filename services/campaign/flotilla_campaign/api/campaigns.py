"""/v1/campaigns."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from flotilla.bus.connection import BROKER_ERRORS
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnavailableError,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.sorting import ByTimeOrName, Several
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction

from flotilla_campaign import campaigns as commands
from flotilla_campaign.api.campaign_schemas import (
    CampaignIn,
    CampaignOut,
    CampaignPatch,
    CampaignResults,
    PeopleIn,
    PersonOut,
)
from flotilla_campaign.api.suppressions import BY_CONTACT, ByContact
from flotilla_campaign.domain.campaigns import Campaign, CampaignState, CampaignStateError
from flotilla_campaign.domain.sequences import InvalidSequenceError, SequenceState, read_steps
from flotilla_campaign.own import bound
from flotilla_campaign.store import campaigns as store
from flotilla_campaign.store import results, sequences

routes = Routes("/v1/campaigns", tag="campaigns")
ORDERS = {**BY_TIME, **BY_NAME}


@routes.get("", permission="campaigns:read")
async def list_campaigns(
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Several[CampaignState] = None,
    sort: ByTimeOrName = "-created_at",
) -> Page[CampaignOut]:
    """Campaigns, the newest first, or in the order of `sort`."""
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, state, order, query.place(sort, order), query.limit + 1)
    return query.page([CampaignOut.of(each) for each in found], sort, order)


@routes.post("", permission="campaigns:write", status_code=201)
async def create_campaign(wanted: CampaignIn, tx: Tx, who: Who, response: Response) -> CampaignOut:
    """Draft a campaign: a goal, an audience, and a sequence or one message. Nothing is sent before it is started."""
    message = wanted.step()
    await _check(tx, who.org, message, wanted.sequence_id)
    values = wanted.model_dump(exclude={"message"})
    made = await commands.create(tx, who.org, values, message)
    response.headers["Location"] = f"/v1/campaigns/{made.id}"
    return _shown(made, response)


@routes.get("/{campaign_id}", permission="campaigns:read")
async def read_campaign(campaign_id: UUID, tx: Tx, who: Who, response: Response) -> CampaignOut:
    """One campaign."""
    return _shown(_there(await store.read(tx, who.org, campaign_id)), response)


@routes.patch("/{campaign_id}", permission="campaigns:write")
async def change_campaign(
    campaign_id: UUID, wanted: CampaignPatch, request: Request, tx: Tx, who: Who, response: Response
) -> CampaignOut:
    """Change a draft; what has been started stands."""
    campaign = await _held(tx, who.org, campaign_id, request)
    message = wanted.step()
    values = wanted.model_dump(include=wanted.model_fields_set - {"message"})
    if (campaign.is_bulk and "sequence_id" in values) or (message is not None and not campaign.is_bulk):
        kind = "one message" if campaign.is_bulk else "a sequence"
        raise UnprocessableError(f"This campaign sends {kind}: draft another one.")
    await _check(tx, who.org, message, values.get("sequence_id"))
    before = await _state(tx, campaign)
    with _states():
        changed = await commands.change(tx, campaign, values, message)
    note_change(before, await _state(tx, changed))
    return _shown(changed, response)


@routes.delete("/{campaign_id}", permission="campaigns:write", status_code=204)
async def delete_campaign(campaign_id: UUID, request: Request, tx: Tx, who: Who) -> Response:
    """Delete a draft and its list."""
    campaign = await _held(tx, who.org, campaign_id, request)
    with _states():
        campaign.must_be_draft()
    note_change(await _state(tx, campaign), None)
    await store.delete(tx, campaign)
    return Response(status_code=204)


@routes.post("/{campaign_id}/start", permission="campaigns:write")
async def start_campaign(campaign_id: UUID, request: Request, work: Work, response: Response) -> CampaignOut:
    """Start it, at once or at its time. Whoever is in its segment then is its audience."""
    return await _going(campaign_id, request, work, response, commands.start)


@routes.post("/{campaign_id}/resume", permission="campaigns:write")
async def resume_campaign(campaign_id: UUID, request: Request, work: Work, response: Response) -> CampaignOut:
    """Go on; steps that came due meanwhile begin at once."""
    return await _going(campaign_id, request, work, response, commands.resume)


@routes.post("/{campaign_id}/pause", permission="campaigns:write")
async def pause_campaign(
    campaign_id: UUID, request: Request, tx: Tx, who: Who, response: Response
) -> CampaignOut:
    """Enrol nobody and begin no step until it is resumed."""
    campaign = await _held(tx, who.org, campaign_id, request)
    with _states():
        return _shown(await commands.pause(tx, campaign), response)


@routes.post("/{campaign_id}/people", permission="campaigns:write", status_code=204)
async def add_campaign_people(campaign_id: UUID, wanted: PeopleIn, tx: Tx, who: Who) -> Response:
    """Put people on a draft's list; who is on it already is written anew."""
    campaign = _there(await store.read(tx, who.org, campaign_id, lock=True))
    if campaign.segment_id is not None:
        raise ConflictError("Its audience is a segment.")
    with _states():
        campaign.must_be_draft()
    people = {each.contact_id: each.model_dump(mode="json") for each in wanted.people}
    await store.add_people(tx, campaign, list(people.values()))
    return Response(status_code=204)


@routes.get("/{campaign_id}/people", permission="campaigns:read")
async def list_campaign_people(
    campaign_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByContact = "contact_id"
) -> Page[PersonOut]:
    """Who is on its list, and what became of them; of a segment, from its start."""
    campaign = _there(await store.read(tx, who.org, campaign_id))
    order = BY_CONTACT[sort]
    found = await store.people(tx, campaign, order, query.place(sort, order), query.limit + 1)
    return query.page([PersonOut(**dict(row)) for row in found], sort, order)


@routes.get("/{campaign_id}/results", permission="campaigns:read")
async def read_campaign_results(campaign_id: UUID, tx: Tx, who: Who) -> CampaignResults:
    """What came of it: its people, and its messages by step and variant."""
    campaign = _there(await store.read(tx, who.org, campaign_id))
    rows = await results.of_campaign(tx, who.org, campaign_id)
    return CampaignResults.told(await store.stands(tx, campaign), rows)


async def _going(
    campaign_id: UUID,
    request: Request,
    work: Work,
    response: Response,
    go: Callable[[Transaction, Campaign], Awaitable[Campaign]],
) -> CampaignOut:
    try:
        # Before the commit: no reply shall be missed after it.
        await bound(work.app).bind()
    except BROKER_ERRORS:
        raise UnavailableError(
            "The broker is away; repeat the request.", headers={"Retry-After": "2"}
        ) from None
    tx = await work.begin()
    campaign = await _held(tx, work.who.org, campaign_id, request)
    with _states():
        return _shown(await go(tx, campaign), response)


async def _held(tx: Transaction, org: UUID, campaign_id: UUID, request: Request) -> Campaign:
    campaign = _there(await store.read(tx, org, campaign_id, lock=True))
    check_if_match(request, campaign.sequence)
    return campaign


@contextmanager
def _states() -> Iterator[None]:
    """A 409 problem where the campaign is in no state for that."""
    try:
        yield
    except CampaignStateError as error:
        raise ConflictError(str(error)) from None


async def _check(
    tx: Transaction, org: UUID, message: dict[str, Any] | None, sequence_id: UUID | None
) -> None:
    """A 422 problem that points at what cannot be sent."""
    if message is not None:
        try:
            read_steps([message])
        except InvalidSequenceError as error:
            pointed = [
                {**each, "pointer": each["pointer"].replace("/steps/0", "/message")}
                for each in error.mistakes
            ]
            raise UnprocessableError("Correct the values named in `errors`.", errors=pointed) from None
    if sequence_id is not None:
        draft = await sequences.read(tx, org, sequence_id)
        if draft is None or draft.state is SequenceState.DELETED or draft.is_bulk:
            raise UnprocessableError(
                "There is no such sequence.",
                errors=[{"pointer": "/sequence_id", "detail": "no such sequence"}],
            )


async def _state(tx: Transaction, campaign: Campaign) -> dict[str, Any]:
    """All that is said of a campaign, its message too, where it has one of its own."""
    own = (
        await sequences.read(tx, campaign.organization_id, campaign.sequence_id) if campaign.is_bulk else None
    )
    return CampaignOut.of(campaign).model_dump() | ({"message": own.steps} if own else {})


def _there(campaign: Campaign | None) -> Campaign:
    if campaign is None:
        raise NotFoundError("There is no campaign with this id.")
    return campaign


def _shown(campaign: Campaign, response: Response) -> CampaignOut:
    set_etag(response, campaign.sequence)
    return CampaignOut.of(campaign)
