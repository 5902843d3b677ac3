"""Escalations, and the teams they may be given to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_messaging.domain.escalations import Escalation

_COLUMNS: Final = (
    "organization_id, id, conversation_id, reason, summary, priority, team_id, escalated_by, created_at"
)

READ: Final = f"""
SELECT {", ".join("e." + name for name in _COLUMNS.split(", "))} FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN escalations e ON e.organization_id = t.org AND e.id = t.id"""  # noqa: S608

KEEP: Final = f"""
INSERT INTO escalations ({_COLUMNS})
SELECT {_COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS t (organization_id uuid, id uuid, conversation_id uuid,
    reason text, summary text, priority text, team_id uuid, escalated_by text, created_at timestamptz)
ORDER BY organization_id, id
ON CONFLICT (organization_id, id) DO UPDATE
SET priority = excluded.priority, team_id = excluded.team_id, summary = excluded.summary"""  # noqa: S608

KNOWN_TEAMS: Final = """
SELECT team.organization_id, team.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN teams team ON team.organization_id = t.org AND team.id = t.id WHERE team.state = 'active'"""

KEEP_TEAMS: Final = """
INSERT INTO teams (organization_id, id, state, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE SET state = excluded.state, sequence = excluded.sequence
WHERE teams.sequence < excluded.sequence"""

# Along the index of open ones: those that were taken care of cost nothing.
QUEUE: Final = """
SELECT e.*, c.channel, c.assignee_id, i.name AS customer_name FROM conversations c
JOIN escalations e ON e.organization_id = c.organization_id AND e.id = c.escalation_id
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id"""

Key = tuple[UUID, UUID]


async def read(tx: Transaction, keys: Iterable[Key]) -> dict[Key, Escalation]:
    """These (organization, escalation)."""
    pairs = sorted(set(keys))
    if not pairs:
        return {}
    rows = await tx.fetch(READ, [org for org, _ in pairs], [id_ for _, id_ in pairs])
    return {(row["organization_id"], row["id"]): Escalation(**row) for row in rows}


async def keep(tx: Transaction, escalations: Sequence[Escalation]) -> None:
    """Write new ones, and what was asked for again of others."""
    if escalations:
        await tx.execute(KEEP, [msgspec.to_builtins(each) for each in escalations])


async def known_teams(tx: Transaction, keys: Iterable[Key]) -> set[Key]:
    """Which of these (organization, team) there are."""
    pairs = sorted(set(keys))
    if not pairs:
        return set()
    rows = await tx.fetch(KNOWN_TEAMS, [org for org, _ in pairs], [id_ for _, id_ in pairs])
    return {(row["organization_id"], row["id"]) for row in rows}


async def queue(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """What waits for a person in this order of `c.escalation_id`. `filters`: column of an escalation → value."""
    where = Where(org, table="e").equal(filters).also("c.escalation_id IS NOT NULL")
    return await order.read(tx, QUEUE, where, after, limit)
