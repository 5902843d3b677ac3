"""What may be done with deals, by people and by wishes alike; each tells of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from flotilla.cause import Cause
from flotilla.sagas.store import now
from flotilla.store.postgres import Transaction

from flotilla_pipeline.domain import deals as rules
from flotilla_pipeline.domain.deals import Deal, MoveRefusedError
from flotilla_pipeline.domain.ranks import between
from flotilla_pipeline.domain.stages import Stage
from flotilla_pipeline.sagas import deal_won, won_context
from flotilla_pipeline.store import deals, holds, people, pipelines

AUDIENCE: Final = "org"


@dataclass(frozen=True, kw_only=True)
class Move:
    """Where a deal shall go, and why."""

    stage_id: UUID
    after: UUID | None = None
    """The deal that it shall stand after; None is topmost."""
    reason: str | None = None
    loss_reason: str | None = None


async def open_deals(
    tx: Transaction, drafts: Sequence[tuple[UUID, Deal]], causes: Mapping[UUID, Cause]
) -> list[Deal]:
    """Write new deals and tell of them; not those with a person whom a deal is with already.

    `causes`: deal → what it goes back to.
    """
    opened = await deals.add_deals(tx, drafts)
    for org, deal in opened:
        tx.emit(deal.created(), org=org, sequence=deal.sequence, cause=causes.get(deal.id), audience=AUDIENCE)
    return [deal for _, deal in opened]


async def change_deal(tx: Transaction, org: UUID, deal: Deal, wanted: Mapping[str, Any]) -> Deal:
    """Change an open deal that the transaction holds; where nothing differs, nothing happens."""
    revised, changed = rules.revise(deal, wanted)
    if revised == deal:
        return deal
    saved = await deals.save_deal(tx, org, revised)
    tx.emit(saved.updated(changed), org=org, sequence=saved.sequence, audience=AUDIENCE)
    return saved


async def move_deal(tx: Transaction, org: UUID, deal: Deal, move: Move, cause: Cause) -> Deal:
    """Move a deal that the transaction holds into another stage; MoveRefusedError where it may not go there."""
    stage = await pipelines.stage_for_deal(tx, org, move.stage_id)
    if stage is None:
        raise MoveRefusedError("not_found", "There is no stage with this id in the deal's pipeline.")
    rules.check_move(deal, stage, move.loss_reason)
    if stage.kind == "won" and (held := await holds.of_deal(tx, org, deal.id)):
        raise MoveRefusedError("held", f"The deal is held: {held[0]['reason']}")
    return await _enter(tx, org, deal, stage, await _rank(tx, org, deal, stage.id, move.after), move, cause)


async def reorder_deal(tx: Transaction, org: UUID, deal: Deal, after: UUID | None) -> Deal:
    """Move a deal that the transaction holds within its stage. Its place is no event: the board alone has it."""
    return await deals.save_deal(
        tx, org, replace(deal, rank=await _rank(tx, org, deal, deal.stage_id, after)), events=0
    )


async def _rank(tx: Transaction, org: UUID, deal: Deal, stage_id: UUID, after: UUID | None) -> str:
    room = await deals.room(tx, org, stage_id, after) if after != deal.id else None
    if room is None:
        words = "There is no other deal with this id in the stage."
        raise MoveRefusedError("not_found", words, ("after_deal_id",))
    return between(*room)


async def _enter(
    tx: Transaction, org: UUID, deal: Deal, stage: Stage, rank: str, move: Move, cause: Cause
) -> Deal:
    placed = rules.place(deal, stage, rank, move.loss_reason, await now(tx))
    decided = placed.state != "open"
    saved = await deals.save_deal(tx, org, placed, events=2 if decided else 1)
    moved = saved.moved(deal, move.reason)
    await deals.add_move(
        tx, org, deal, saved, actor=cause.actor, reason=move.reason, seconds=moved.seconds_in_stage
    )
    first = saved.sequence - 1 if decided else saved.sequence
    tx.emit(moved, org=org, sequence=first, cause=cause, audience=AUDIENCE)
    if saved.state == "won":
        own = replace(cause, request_id=None)
        customer = await people.customer_name(tx, org, saved.contact_id, saved.company_id)
        saga = await deal_won.start(tx, org, saved.id, won_context(saved, deal, customer), own)
        tx.emit(saved.won(saga), org=org, sequence=saved.sequence, cause=own, audience=AUDIENCE)
    elif saved.state == "lost":
        tx.emit(saved.lost(), org=org, sequence=saved.sequence, cause=cause, audience=AUDIENCE)
    return saved
