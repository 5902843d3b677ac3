# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Which clients somebody of a team takes care of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.teams import Candidate

_COLUMNS: Final = (
    "organization_id, contact_id, team_id, user_id, last_user_id, reason, skill, assigned_at, sequence"
)

# The row is there from here on, held: two who assign one client wait for each other.
CLAIM: Final = """
INSERT INTO client_assignments (organization_id, contact_id, team_id, reason) VALUES ($1, $2, $3, 'released')
ON CONFLICT (organization_id, contact_id) DO NOTHING"""

READ: Final = f"SELECT {_COLUMNS} FROM client_assignments WHERE organization_id = $1 AND contact_id = $2"

LOCK: Final = f"{READ} FOR UPDATE"

SAVE: Final = f"""
UPDATE client_assignments
SET team_id = $3, user_id = $4, last_user_id = coalesce(user_id, last_user_id), reason = $5, skill = $6,
    assigned_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND contact_id = $2 RETURNING {_COLUMNS}"""

PAGE: Final = f"SELECT {_COLUMNS} FROM client_assignments"
GIVEN: Final = "user_id IS NOT NULL"

CANDIDATES: Final = """
SELECT m.user_id, m.skills, m.capacity, m.weight, m.credit, coalesce(p.status, 'offline') AS presence,
       (SELECT count(*) FROM client_assignments a
        WHERE a.organization_id = m.organization_id AND a.user_id = m.user_id AND a.team_id = m.team_id) AS load
FROM team_members m
JOIN users u ON u.organization_id = m.organization_id AND u.id = m.user_id AND u.state = 'active'
LEFT JOIN presences p ON p.organization_id = m.organization_id AND p.user_id = m.user_id
WHERE m.organization_id = $1 AND m.team_id = $2"""

TURN: Final = "UPDATE teams SET turn = $3 WHERE organization_id = $1 AND id = $2"

EARN: Final = """
UPDATE team_members m SET credit = t.credit FROM unnest($3::uuid[], $4::bigint[]) AS t (user_id, credit)
WHERE m.organization_id = $1 AND m.team_id = $2 AND m.user_id = t.user_id"""

# In one order, so that two who release the same clients wait for each other.
HOLD_OF: Final = """
SELECT contact_id FROM client_assignments
WHERE organization_id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR team_id = $3)
ORDER BY contact_id FOR UPDATE"""

RELEASE_OF: Final = f"""
UPDATE client_assignments
SET user_id = NULL, last_user_id = user_id, reason = 'released', assigned_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR team_id = $3) RETURNING {_COLUMNS}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who takes care of a client."""

    organization_id: UUID
    contact_id: UUID
    team_id: UUID
    user_id: UUID | None
    """None: nobody, they were released."""
    last_user_id: UUID | None
    """Who did before."""
    reason: str
    skill: str | None
    assigned_at: datetime
    sequence: int


async def claim(tx: Transaction, organization_id: UUID, contact_id: UUID, team_id: UUID) -> Assignment:
    """The client's, held; one that nobody takes care of where there was none. Hold the team first."""
    await tx.execute(CLAIM, organization_id, contact_id, team_id)
    found = _read(await tx.fetchrow(LOCK, organization_id, contact_id))
    assert found is not None
    return found


async def read(
    tx: Transaction, organization_id: UUID, contact_id: UUID, *, lock: bool = False
) -> Assignment | None:
    """The client's, held with `lock`."""
    return _read(await tx.fetchrow(LOCK if lock else READ, organization_id, contact_id))


async def save(
    tx: Transaction, held: Assignment, *, team_id: UUID, user_id: UUID | None, reason: str, skill: str | None
) -> Assignment:
    """Somebody else takes care of them, or nobody: the result has the next sequence."""
    saved = _read(
        await tx.fetchrow(SAVE, held.organization_id, held.contact_id, team_id, user_id, reason, skill)
    )
    assert saved is not None
    return saved


async def page(
    tx: Transaction,
    organization_id: UUID,
    team_id: UUID,
    user_id: UUID | None,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Assignment]:
    """`limit` of a team's clients, or of one member's, in this order, after the one with the key `after`."""
    where = Where(organization_id).equal({"team_id": team_id, "user_id": user_id}).also(GIVEN)
    return [Assignment(**row) for row in await order.read(tx, PAGE, where, after, limit)]


async def candidates(tx: Transaction, organization_id: UUID, team_id: UUID) -> list[Candidate]:
    """The active members of a team that the transaction holds, with what they have to do."""
    rows = await tx.fetch(CANDIDATES, organization_id, team_id)
    return [Candidate(**row) for row in rows]


async def had_turn(
    tx: Transaction, organization_id: UUID, team_id: UUID, user_id: UUID, earned: Mapping[UUID, int]
) -> None:
    """Whose turn it was, and what members' weights have earned them, in a team that the transaction holds."""
    await tx.execute(TURN, organization_id, team_id, user_id)
    if earned:
        await tx.execute(EARN, organization_id, team_id, list(earned), list(earned.values()))


async def release_of(
    tx: Transaction, organization_id: UUID, user_id: UUID, team_id: UUID | None
) -> list[Assignment]:
    """Somebody takes care of nobody any more, in a team or in all of theirs: what is left. Hold the teams first."""
    await tx.fetch(HOLD_OF, organization_id, user_id, team_id)
    rows = await tx.fetch(RELEASE_OF, organization_id, user_id, team_id)
    return [Assignment(**row) for row in rows]


def _read(row: Row | None) -> Assignment | None:
    return None if row is None else Assignment(**row)
