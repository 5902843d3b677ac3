"""Events kept a while for trying rules out, and the sweeping of what is old."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

KEEP: Final = """
INSERT INTO recent_events (organization_id, id, type, event)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
ON CONFLICT DO NOTHING"""
NEWEST: Final = """
SELECT event FROM recent_events WHERE organization_id = $1 AND type = $2 ORDER BY id DESC LIMIT $3"""
FEW: Final = """
DELETE FROM recent_events e USING (
    SELECT organization_id, id, row_number() OVER (PARTITION BY organization_id, type ORDER BY id DESC) AS place
    FROM recent_events WHERE organization_id = ANY($1)) AS counted
WHERE e.organization_id = counted.organization_id AND e.id = counted.id AND counted.place > 1000"""
SWEEP: Final = (
    FEW,
    "DELETE FROM recent_events WHERE organization_id = ANY($1) AND kept_at < now() - interval '3 days'",
    "DELETE FROM backtests WHERE organization_id = ANY($1) AND begun_at < now() - interval '7 days'",
    "DELETE FROM backtest_organizations b WHERE b.organization_id = ANY($1) AND NOT EXISTS ("
    "SELECT FROM backtests t WHERE t.organization_id = b.organization_id AND t.id = b.id)",
    "DELETE FROM minutes WHERE organization_id = ANY($1) AND minute < now() - interval '1 hour'",
    "DELETE FROM days WHERE organization_id = ANY($1) AND day < now() - interval '3 days'",
    "DELETE FROM conversation_positions WHERE organization_id = ANY($1) AND moved_at < now() - interval '100 days'",
    "DELETE FROM runs WHERE organization_id = ANY($1) AND state = 'skipped' AND ended_at < now() - interval '7 days'",
)
"""How long things are kept: events for dry runs, storm counts, positions (longer than any run may wait), runs that were
not worth it; others are kept as their organization says (`privacy.py`)."""


async def keep(tx: Transaction, events: Sequence[tuple[UUID, UUID, str, str]]) -> None:
    """Keep events: (organization, id, type, text)."""
    columns = [list(column) for column in zip(*events, strict=True)]
    await tx.execute(KEEP, *columns)


async def newest(tx: Transaction, org: UUID, type_: str, limit: int) -> list[str]:
    """The newest events of a type, the newest first."""
    return [row["event"] for row in await tx.fetch(NEWEST, org, type_, limit)]


async def sweep(tx: Transaction, orgs: Sequence[UUID]) -> None:
    """Drop what is too old."""
    for statement in SWEEP:
        await tx.execute(statement, list(orgs))
