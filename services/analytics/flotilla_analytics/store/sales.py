"""SQL of the sales metrics: sums by cell, and what is remembered of deals, leads and stages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.domain.sales import Fold
from flotilla_analytics.domain.sales_facts import Cell, Deal, Key, Lead, Stage

READ_DEALS: Final = """
SELECT facts.* FROM unnest($1::uuid[], $2::uuid[]) AS wanted (organization_id, id)
JOIN deal_facts AS facts USING (organization_id, id)"""

READ_LEADS: Final = """
SELECT facts.* FROM unnest($1::uuid[], $2::uuid[]) AS wanted (organization_id, id)
JOIN lead_facts AS facts USING (organization_id, id)"""

READ_STAGES: Final = """
SELECT facts.* FROM unnest($1::uuid[], $2::uuid[]) AS wanted (organization_id, id)
JOIN stage_facts AS facts USING (organization_id, id)"""

# `reached` comes as text: unnest would take arrays of arrays apart.
UPSERT_DEALS: Final = """
INSERT INTO deal_facts (organization_id, id, sequence, pipeline_id, owner_id, source, state, amount_minor, currency,
                        loss_reason, created_at, ended_at, reached)
SELECT organization_id, id, sequence, pipeline_id, owner_id, source, state, amount_minor, currency, loss_reason,
       created_at, ended_at, reached::uuid[]
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::numeric[],
            $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::text[])
     AS t (organization_id, id, sequence, pipeline_id, owner_id, source, state, amount_minor, currency, loss_reason,
           created_at, ended_at, reached)
ON CONFLICT (organization_id, id) DO UPDATE
SET (sequence, pipeline_id, owner_id, source, state, amount_minor, currency, loss_reason, created_at, ended_at, reached)
  = (excluded.sequence, excluded.pipeline_id, excluded.owner_id, excluded.source, excluded.state,
     excluded.amount_minor, excluded.currency, excluded.loss_reason, excluded.created_at, excluded.ended_at,
     excluded.reached)"""

UPSERT_LEADS: Final = """
INSERT INTO lead_facts (organization_id, id, sequence, owner_id, source, status, qualified_at, converted_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[])
ON CONFLICT (organization_id, id) DO UPDATE
SET (sequence, owner_id, source, status, qualified_at, converted_at)
  = (excluded.sequence, excluded.owner_id, excluded.source, excluded.status, excluded.qualified_at,
     excluded.converted_at)"""

UPSERT_STAGES: Final = """
INSERT INTO stage_facts (organization_id, id, sequence, pipeline_id, name, kind, position, archived)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::bool[])
ON CONFLICT (organization_id, id) DO UPDATE
SET (sequence, pipeline_id, name, kind, position, archived)
  = (excluded.sequence, excluded.pipeline_id, excluded.name, excluded.kind, excluded.position, excluded.archived)"""

ADD: Final = """
INSERT INTO sales_rollups (organization_id, metric, day, pipeline_id, owner_id, stage_id, to_stage_id, source, part,
                           currency, bucket, count, sum_ms, amount)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[],
                     $9::text[], $10::text[], $11::smallint[], $12::bigint[], $13::bigint[], $14::numeric[])
ON CONFLICT (organization_id, metric, day, pipeline_id, owner_id, stage_id, to_stage_id, source, part, currency, bucket)
DO UPDATE SET count = sales_rollups.count + excluded.count, sum_ms = sales_rollups.sum_ms + excluded.sum_ms,
              amount = sales_rollups.amount + excluded.amount"""

STAGES_OF: Final = """
SELECT id, name, kind, position, archived FROM stage_facts
WHERE organization_id = $1 AND pipeline_id = $2 ORDER BY archived, position, id"""


async def open_fold(
    tx: Transaction, deals: Iterable[Key], leads: Iterable[Key], stages: Iterable[Key]
) -> Fold:
    """A fold that knows these deals, leads and stages."""
    return Fold(
        {_key(row): _deal(row) for row in await _read(tx, READ_DEALS, deals)},
        {_key(row): _lead(row) for row in await _read(tx, READ_LEADS, leads)},
        {_key(row): _stage(row) for row in await _read(tx, READ_STAGES, stages)},
    )


async def save(tx: Transaction, fold: Fold) -> None:
    """Keep what a fold made of its events."""
    await _write(tx, UPSERT_DEALS, [(*key, *_deal_columns(known)) for key, known in fold.deals.items()])
    await _write(tx, UPSERT_LEADS, [(*key, *_lead_columns(known)) for key, known in fold.leads.items()])
    await _write(tx, UPSERT_STAGES, [(*key, *_stage_columns(known)) for key, known in fold.stages.items()])
    await _write(tx, ADD, [(*cell, *delta) for cell, delta in _changed(fold.deltas)])


async def stages_of(tx: Transaction, org: UUID, pipeline_id: UUID) -> list[Row]:
    """The stages of a pipeline in their order, archived ones last."""
    return await tx.fetch(STAGES_OF, org, pipeline_id)


def _changed(deltas: Mapping[Cell, list[int]]) -> Iterable[tuple[Cell, list[int]]]:
    return ((cell, delta) for cell, delta in deltas.items() if delta != [0, 0, 0])


async def _read(tx: Transaction, sql: str, keys: Iterable[Key]) -> list[Row]:
    wanted = list(keys)
    return await tx.fetch(sql, [org for org, _ in wanted], [key for _, key in wanted]) if wanted else []


async def _write(tx: Transaction, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        await tx.execute(sql, *(list(column) for column in zip(*rows, strict=True)))


def _key(row: Row) -> Key:
    return row["organization_id"], row["id"]


def _deal(row: Row) -> Deal:
    amount = row["amount_minor"]
    return Deal(
        sequence=row["sequence"],
        pipeline_id=row["pipeline_id"],
        owner_id=row["owner_id"],
        source=row["source"],
        state=row["state"],
        amount_minor=None if amount is None else int(amount),
        currency=row["currency"],
        loss_reason=row["loss_reason"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        reached=frozenset(row["reached"]),
    )


def _deal_columns(known: Deal) -> tuple[object, ...]:
    reached = "{" + ",".join(sorted(map(str, known.reached))) + "}"
    return (
        known.sequence,
        known.pipeline_id,
        known.owner_id,
        known.source,
        known.state,
        known.amount_minor,
        known.currency,
        known.loss_reason,
        known.created_at,
        known.ended_at,
        reached,
    )


def _lead(row: Row) -> Lead:
    return Lead(
        row["sequence"],
        row["owner_id"],
        row["source"],
        row["status"],
        row["qualified_at"],
        row["converted_at"],
    )


def _lead_columns(known: Lead) -> tuple[object, ...]:
    return (
        known.sequence,
        known.owner_id,
        known.source,
        known.status,
        known.qualified_at,
        known.converted_at,
    )


def _stage(row: Row) -> Stage:
    return Stage(
        row["sequence"], row["pipeline_id"], row["name"], row["kind"], row["position"], row["archived"]
    )


def _stage_columns(known: Stage) -> tuple[object, ...]:
    return (known.sequence, known.pipeline_id, known.name, known.kind, known.position, known.archived)
