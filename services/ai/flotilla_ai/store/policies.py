"""Policies of organizations, and the log of what went against them and the supervisor."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_ai.domain.policies import Action, Policy

MOST: Final = 200
"""Policies of one organization."""

ENABLED: Final = """
SELECT organization_id, id, phrases, action FROM policies WHERE organization_id = ANY($1) AND enabled ORDER BY id"""

LIST: Final = "SELECT * FROM policies"

READ: Final = "SELECT * FROM policies WHERE organization_id = $1 AND id = $2"

# Counted under a lock, so that two requests at once do not make one too many.
COUNT: Final = """
WITH held AS (SELECT pg_advisory_xact_lock(hashtextextended('policies:' || $1::uuid::text, 0)))
SELECT count(*) FROM policies, held WHERE organization_id = $1"""

ADD: Final = """
INSERT INTO policies (organization_id, id, name, phrases, action, enabled, updated_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *"""

SAVE: Final = """
UPDATE policies SET name = $3, phrases = $4, action = $5, enabled = $6, updated_by = $7, updated_at = now(),
    sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING *"""

REMOVE: Final = "DELETE FROM policies WHERE organization_id = $1 AND id = $2"

LOG: Final = """
INSERT INTO policy_violations (organization_id, id, rule, policy_id, action, conversation_id, message_id, draft_id,
                               places)
SELECT * FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, rule text, policy_id uuid, action text,
    conversation_id uuid, message_id uuid, draft_id uuid, places jsonb)"""

VIOLATIONS: Final = "SELECT * FROM policy_violations"


async def enabled(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, list[Policy]]:
    """What organizations do not want said."""
    found: dict[UUID, list[Policy]] = defaultdict(list)
    for row in await tx.fetch(ENABLED, list(orgs)):
        policy = Policy(row["id"], tuple(row["phrases"]), Action(row["action"]))
        found[row["organization_id"]].append(policy)
    return found


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order (few enough for any), those after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org), after, limit)


async def read(tx: Transaction, org: UUID, policy_id: UUID, *, lock: bool = False) -> Row | None:
    """One, held until the commit with `lock`."""
    return await tx.fetchrow(READ + " FOR UPDATE" * lock, org, policy_id)


async def write(
    tx: Transaction, org: UUID, policy_id: UUID, policy: dict[str, Any], by: str, *, new: bool
) -> Row:
    """Write a new one, or all of one that is held."""
    fields = (policy["name"], policy["phrases"], policy["action"], policy["enabled"])
    row = await tx.fetchrow(ADD if new else SAVE, org, policy_id, *fields, by)
    assert row is not None
    return row


async def violations(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    return await order.read(tx, VIOLATIONS, Where(org).equal(filters), after, limit)
