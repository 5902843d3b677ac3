"""Counterparties and their standings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_kyb.domain.counterparty import Counterparty, Standing

COLUMNS: Final = (
    "id, sequence, name, country, vat_number, lei, registry_number, monitoring, state, risk_score, risk_level,"
    " checked_at, findings, unanswered_checks, created_at, updated_at"
)

INSERT: Final = f"""
INSERT INTO counterparties (organization_id, id, name, country, vat_number, lei, registry_number, monitoring)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"""  # noqa: S608

UPDATE: Final = f"""
UPDATE counterparties SET sequence = sequence + 1, updated_at = now(), name = $3, country = $4, vat_number = $5,
                          lei = $6, registry_number = $7, monitoring = $8
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

CONCLUDE: Final = f"""
UPDATE counterparties SET sequence = sequence + $3, checked_at = now(), state = $4, risk_score = $5, risk_level = $6,
                          findings = $7, unanswered_checks = $8
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

READ: Final = f"SELECT {COLUMNS} FROM counterparties WHERE organization_id = $1 AND id = $2"  # noqa: S608

# The one that has a number; until the commit nobody else can take it.
LOCK_NUMBERS: Final = """
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || ' ' || number, 0))
FROM (SELECT number FROM unnest($2::text[]) AS number WHERE number IS NOT NULL ORDER BY number) AS numbers"""
WITH_NUMBER: Final = """
SELECT id, vat_number IS NOT DISTINCT FROM $2 AND $2 IS NOT NULL AS by_vat_number FROM counterparties
WHERE organization_id = $1 AND id <> $4 AND (vat_number = $2 OR lei = $3) LIMIT 1"""

STANDINGS: Final = """
SELECT source, verdict, fields, check_id, confirmed_at, unanswered_since, reason FROM standings
WHERE organization_id = $1 AND counterparty_id = $2"""
KEEP_STANDING: Final = """
INSERT INTO standings (organization_id, counterparty_id, source, verdict, fields, check_id, confirmed_at,
                       unanswered_since, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (organization_id, counterparty_id, source) DO UPDATE
SET verdict = excluded.verdict, fields = excluded.fields, check_id = excluded.check_id,
    confirmed_at = excluded.confirmed_at, unanswered_since = excluded.unanswered_since, reason = excluded.reason"""
FORGET_STANDINGS: Final = """
DELETE FROM standings WHERE organization_id = $1 AND counterparty_id = $2 AND source = ANY($3)"""


async def add(tx: Transaction, org: UUID, counterparty: Counterparty) -> Counterparty:
    """Write a new counterparty."""
    row = await tx.fetchrow(INSERT, org, counterparty.id, *_entered(counterparty))
    return _counterparty(row)


async def save(tx: Transaction, org: UUID, counterparty: Counterparty) -> Counterparty:
    """Write what a person changed: the result has the next sequence."""
    row = await tx.fetchrow(UPDATE, org, counterparty.id, *_entered(counterparty))
    return _counterparty(row)


async def conclude(tx: Transaction, org: UUID, counterparty: Counterparty, events: int) -> Counterparty:
    """Write what a check came to; `events` are told of it, each with a sequence of its own."""
    row = await tx.fetchrow(
        CONCLUDE,
        org,
        counterparty.id,
        events,
        counterparty.state,
        counterparty.risk_score,
        counterparty.risk_level,
        counterparty.findings,
        counterparty.unanswered_checks,
    )
    return _counterparty(row)


async def read(tx: Transaction, org: UUID, id_: UUID, *, lock: bool = False) -> Counterparty | None:
    """The counterparty, held until the commit with `lock`: whoever changes anything of it holds it first."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, id_)
    return None if row is None else _counterparty(row)


async def list_counterparties(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Counterparty]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    select = f"SELECT {COLUMNS} FROM counterparties"  # noqa: S608
    rows = await order.read(tx, select, Where(org).equal(filters), after, limit)
    return [_counterparty(row) for row in rows]


async def with_number(
    tx: Transaction, org: UUID, counterparty_id: UUID, vat_number: str | None, lei: str | None
) -> tuple[UUID, str] | None:
    """Another counterparty with one of these numbers, and the field it is."""
    await tx.execute(LOCK_NUMBERS, org, [vat_number, lei])
    row = await tx.fetchrow(WITH_NUMBER, org, vat_number, lei, counterparty_id)
    return None if row is None else (row["id"], "vat_number" if row["by_vat_number"] else "lei")


async def standings(tx: Transaction, org: UUID, counterparty_id: UUID) -> dict[str, Standing]:
    """What each register last said of it."""
    rows = await tx.fetch(STANDINGS, org, counterparty_id)
    return {row["source"]: Standing(**dict(row)) for row in rows}


async def keep_standing(tx: Transaction, org: UUID, counterparty_id: UUID, standing: Standing) -> None:
    """Write what a register last said of it."""
    await tx.execute(
        KEEP_STANDING,
        org,
        counterparty_id,
        standing.source,
        standing.verdict,
        standing.fields,
        standing.check_id,
        standing.confirmed_at,
        standing.unanswered_since,
        standing.reason,
    )


async def forget_standings(tx: Transaction, org: UUID, counterparty_id: UUID, sources: list[str]) -> None:
    """What these registers said was of another number."""
    await tx.execute(FORGET_STANDINGS, org, counterparty_id, sources)


def _entered(counterparty: Counterparty) -> tuple[str | datetime | None, ...]:
    identity = counterparty.identity
    return (
        identity.name,
        identity.country,
        identity.vat_number,
        identity.lei,
        identity.registry_number,
        counterparty.monitoring,
    )


def _counterparty(row: Row | None) -> Counterparty:
    assert row is not None
    return Counterparty(**dict(row))
