"""Deals and their moves."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.events.base import Money
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_pipeline.domain.deals import Deal
from flotilla_pipeline.domain.stages import Stage

COLUMNS: Final = (
    "id, sequence, pipeline_id, stage_id, rank, title, state, value_minor, currency, own_probability, contact_id,"
    " company_id, conversation_id, owner_id, expected_close_on, source, loss_reason, qualification_id,"
    " entered_stage_at, created_at, ended_at, rotted_at,"
    " (SELECT s.probability FROM stages s WHERE s.organization_id = deals.organization_id AND s.id = deals.stage_id)"
    " AS stage_probability"
)

# One deal with a person at a time: whoever comes second finds none written.
INSERT: Final = f"""
INSERT INTO deals (organization_id, id, pipeline_id, stage_id, rank, title, value_minor, currency, own_probability,
                   contact_id, company_id, conversation_id, owner_id, expected_close_on, source, qualification_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                     $9::int[], $10::uuid[], $11::uuid[], $12::uuid[], $13::uuid[], $14::date[], $15::text[],
                     $16::uuid[])
ON CONFLICT (organization_id, pipeline_id, contact_id) WHERE contact_id IS NOT NULL AND state IN ('open', 'won')
DO NOTHING
RETURNING organization_id, {COLUMNS}"""  # noqa: S608

UPDATE: Final = f"""
UPDATE deals SET sequence = sequence + $3, stage_id = $4, rank = $5, title = $6, state = $7, value_minor = $8,
    currency = $9, own_probability = $10, contact_id = $11, company_id = $12, conversation_id = $13, owner_id = $14,
    expected_close_on = $15, loss_reason = $16, entered_stage_at = $17, ended_at = $18,
    touched_at = CASE WHEN $3 > 0 THEN now() ELSE touched_at END,
    rotted_at = CASE WHEN $3 > 0 THEN NULL ELSE rotted_at END
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

ROT: Final = f"""
UPDATE deals SET sequence = sequence + 1, rotted_at = now() WHERE organization_id = $1 AND id IN (
    SELECT d.id FROM deals d WHERE d.organization_id = $1 AND d.stage_id = $2 AND d.state = 'open'
    AND d.rotted_at IS NULL AND d.touched_at < now() - make_interval(days => $3)
    ORDER BY d.touched_at LIMIT $4 FOR UPDATE SKIP LOCKED)
RETURNING {COLUMNS}"""  # noqa: S608

READ: Final = f"SELECT {COLUMNS} FROM deals WHERE organization_id = $1 AND id = $2"  # noqa: S608

RANK_AFTER: Final = """
SELECT d.rank AS low, (SELECT min(n.rank) FROM deals n WHERE n.organization_id = $1 AND n.stage_id = $2
                       AND n.rank > d.rank) AS high
FROM deals d WHERE d.organization_id = $1 AND d.stage_id = $2 AND d.id = $3"""

TOP_RANK: Final = "SELECT min(rank) FROM deals WHERE organization_id = $1 AND stage_id = $2"

INSERT_MOVE: Final = """
INSERT INTO moves (organization_id, id, deal_id, from_stage_id, to_stage_id, actor, reason, seconds_in_stage)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""

MOVES: Final = "SELECT id, from_stage_id, to_stage_id, actor, reason, seconds_in_stage, moved_at FROM moves"


async def add_deals(tx: Transaction, deals: Sequence[tuple[UUID, Deal]]) -> list[tuple[UUID, Deal]]:
    """Write new deals, those with a person whom no other deal is with: (organization, deal)."""
    rows = await tx.fetch(
        INSERT,
        [org for org, _ in deals],
        [deal.id for _, deal in deals],
        [deal.pipeline_id for _, deal in deals],
        [deal.stage_id for _, deal in deals],
        [deal.rank for _, deal in deals],
        [deal.title for _, deal in deals],
        [deal.value.amount_minor if deal.value else None for _, deal in deals],
        [deal.value.currency if deal.value else None for _, deal in deals],
        [deal.own_probability for _, deal in deals],
        [deal.contact_id for _, deal in deals],
        [deal.company_id for _, deal in deals],
        [deal.conversation_id for _, deal in deals],
        [deal.owner_id for _, deal in deals],
        [deal.expected_close_on for _, deal in deals],
        [deal.source for _, deal in deals],
        [deal.qualification_id for _, deal in deals],
    )
    return [(row["organization_id"], deal_of(row)) for row in rows]


async def save_deal(tx: Transaction, org: UUID, deal: Deal, *, events: int = 1) -> Deal:
    """Write a changed deal: its sequence has gone up by one for each event that tells of it."""
    row = await tx.fetchrow(
        UPDATE,
        org,
        deal.id,
        events,
        deal.stage_id,
        deal.rank,
        deal.title,
        deal.state,
        deal.value.amount_minor if deal.value else None,
        deal.value.currency if deal.value else None,
        deal.own_probability,
        deal.contact_id,
        deal.company_id,
        deal.conversation_id,
        deal.owner_id,
        deal.expected_close_on,
        deal.loss_reason,
        deal.entered_stage_at,
        deal.ended_at,
    )
    assert row is not None
    return deal_of(row)


async def rot(tx: Transaction, org: UUID, stage: Stage, limit: int) -> list[Deal]:
    """Say of deals of the stage that were not touched for as long as it allows that they rot: those deals."""
    return [deal_of(row) for row in await tx.fetch(ROT, org, stage.id, stage.rots_after_days, limit)]


async def read_deal(tx: Transaction, org: UUID, deal_id: UUID, *, lock: bool = False) -> Deal | None:
    """The deal, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, deal_id)
    return None if row is None else deal_of(row)


async def room(
    tx: Transaction, org: UUID, stage_id: UUID, after: UUID | None
) -> tuple[str | None, str | None] | None:
    """The ranks between which a deal goes that shall stand after another, or topmost; None: no such other."""
    if after is None:
        return None, await tx.fetchval(TOP_RANK, org, stage_id)
    row = await tx.fetchrow(RANK_AFTER, org, stage_id, after)
    return None if row is None else (row["low"], row["high"])


async def list_deals(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Deal]:
    """Deals that fit, in this order, those after the one with the key `after`. `filters`: column → value."""
    where = Where(org).equal(filters).in_reach("deals", "owner_id")
    select = f"SELECT {COLUMNS} FROM deals"  # noqa: S608
    return [deal_of(row) for row in await order.read(tx, select, where, after, limit)]


async def add_move(
    tx: Transaction,
    org: UUID,
    before: Deal,
    after: Deal,
    *,
    actor: str | None,
    reason: str | None,
    seconds: int,
) -> None:
    """Write down who moved a deal, from where to where, why, and how long it had stood there."""
    await tx.execute(
        INSERT_MOVE, org, tx.app.new_id(), after.id, before.stage_id, after.stage_id, actor, reason, seconds
    )


async def list_moves(
    tx: Transaction, org: UUID, deal_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """`limit` of its moves in this order, after the one with the key `after`."""
    return await order.read(tx, MOVES, Where(org).equal({"deal_id": deal_id}), after, limit)


def deal_of(row: Row) -> Deal:
    """A row as a deal."""
    fields = {key: value for key, value in row.items() if key != "organization_id"}
    amount, currency = fields.pop("value_minor"), fields.pop("currency")
    return Deal(**fields, value=None if amount is None else Money(amount_minor=amount, currency=currency))
