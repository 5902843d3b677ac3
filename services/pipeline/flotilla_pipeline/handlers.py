"""What pipeline does when others' events come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from flotilla.bus.declare import NotYetKnown, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import User, UserCreated, UserDeactivated, UserUpdated
from flotilla.events.crm import (
    Company,
    CompanyCreated,
    CompanyUpdated,
    LeadCreated,
)
from flotilla.events.pipeline import DealMoveFailed, DealMoveRequested
from flotilla.store.postgres import Row, Transaction

from flotilla_pipeline import commands
from flotilla_pipeline.domain.deals import Deal, MoveRefusedError, lead_title
from flotilla_pipeline.domain.ranks import between
from flotilla_pipeline.store import deals, people, pipelines

DEFAULT_PIPELINE: Final = "default_pipeline"
"""What leads wait for."""


@projection(UserCreated, UserUpdated, UserDeactivated, lane="directory", tables=("users",))
async def keep_users(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Know who may own a deal."""
    await people.keep_users(tx, batch)


@projection(CompanyCreated, CompanyUpdated, lane="directory", tables=("companies",))
async def keep_companies(tx: Transaction, batch: Sequence[Received[Company]]) -> None:
    """Know which company a deal may be with."""
    await people.keep_companies(tx, batch)


@reaction(LeadCreated, lane="deals")
async def open_leads(tx: Transaction, batch: Sequence[Received[LeadCreated]]) -> None:
    """Open a deal for each qualified lead, where none is open with that person.

    crm's word of it is taken, not ai's `lead.qualified`, which may come before anybody knows whose identity it
    is. Held until the organization's pipeline and the contact are known.
    """
    places = await pipelines.where_leads_go(tx, sorted({event.org for event in batch}))
    contacts = await people.contacts(tx, [(event.org, event.data.contact_id) for event in batch])
    for event in batch:
        if event.org not in places:
            raise NotYetKnown(DEFAULT_PIPELINE, event.org)
        if (event.org, event.data.contact_id) not in contacts:
            raise NotYetKnown("contact", event.data.contact_id)
    ranks = {org: place["top"] for org, place in places.items()}
    drafts: list[tuple[UUID, Deal]] = []
    # Sorted, so that two processes with the same people wait for each other in one order.
    for event in sorted(batch, key=lambda event: (event.org, event.data.contact_id, event.data.qualified_at)):
        contact = contacts[event.org, event.data.contact_id]
        if contact["merged_into"] is not None:
            raise NotYetKnown("contact", contact["merged_into"])
        if contact["gone"]:
            continue  # deleted since: there is nobody to sell to
        ranks[event.org] = between(None, ranks[event.org])
        drafts.append((event.org, _lead(tx, event, places[event.org], ranks[event.org], contact)))
    by_qualification = {event.data.lead_id: event for event in batch}
    causes = {
        deal.id: by_qualification[deal.qualification_id].cause for _, deal in drafts if deal.qualification_id
    }
    await commands.open_deals(tx, drafts, causes)


@reaction(DealMoveRequested, lane="deals")
async def move_deals(tx: Transaction, batch: Sequence[Received[DealMoveRequested]]) -> None:
    """Move deals that a rule wants moved, and say so or why not."""
    for event in sorted(batch, key=lambda event: (event.org, event.data.deal_id, event.id)):
        wish = event.data
        cause = replace(event.cause, request_id=wish.request_id)
        try:
            deal = await deals.read_deal(tx, event.org, wish.deal_id, lock=True)
            if deal is None:
                raise MoveRefusedError("not_found", "There is no deal with this id.")
            move = commands.Move(stage_id=wish.stage_id, reason=wish.reason, loss_reason=wish.loss_reason)
            await commands.move_deal(tx, event.org, deal, move, cause)
        except MoveRefusedError as refused:
            failed = DealMoveFailed(
                request_id=wish.request_id,
                deal_id=wish.deal_id,
                stage_id=wish.stage_id,
                reason=refused.reason,
            )
            tx.emit(failed, org=event.org, sequence=1, cause=cause, audience=commands.AUDIENCE)


def _lead(
    tx: Transaction,
    event: Received[LeadCreated],
    place: Row,
    rank: str,
    contact: Row,
) -> Deal:
    now = datetime.now(UTC)
    return Deal(
        id=tx.app.new_id(),
        pipeline_id=place["pipeline_id"],
        stage_id=place["id"],
        stage_probability=place["probability"],
        rank=rank,
        title=lead_title(contact["name"]),
        value=event.data.budget,
        contact_id=contact["id"],
        company_id=contact["company_id"],
        conversation_id=event.data.conversation_id,
        source="lead",
        qualification_id=event.data.lead_id,
        entered_stage_at=now,
        created_at=now,
    )
