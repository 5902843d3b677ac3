# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Teams and their members."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events.auth import WorkingHours
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.teams import Member, Team

_TEAM: Final = (
    "organization_id, id, name, skills, distribution, sticky, time_zone, hours, state, turn, sequence,"
    " created_at"
)
_MEMBER: Final = "organization_id, id, team_id, user_id, lead, skills, capacity, weight, sequence, added_at"

INSERT: Final = f"""
INSERT INTO teams (organization_id, id, name, skills, distribution, sticky, time_zone, hours)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_TEAM}"""

READ: Final = f"SELECT {_TEAM} FROM teams WHERE organization_id = $1 AND id = $2"

LOCK: Final = f"{READ} FOR NO KEY UPDATE"

PAGE: Final = f"SELECT {_TEAM} FROM teams"

UPDATE: Final = f"""
UPDATE teams SET name = $3, skills = $4, distribution = $5, sticky = $6, time_zone = $7, hours = $8, state = $9,
    sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING {_TEAM}"""

PUT_MEMBER: Final = f"""
INSERT INTO team_members AS m (organization_id, id, team_id, user_id, lead, skills, capacity, weight)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (organization_id, team_id, user_id) DO UPDATE
SET lead = excluded.lead, skills = excluded.skills, capacity = excluded.capacity, weight = excluded.weight,
    sequence = m.sequence + 1
RETURNING {_MEMBER}"""

READ_MEMBER: Final = f"""
SELECT {_MEMBER} FROM team_members WHERE organization_id = $1 AND team_id = $2 AND user_id = $3"""

PAGE_MEMBERS: Final = f"SELECT {_MEMBER} FROM team_members"

HOURS_BESIDE: Final = """
SELECT m.user_id, t.time_zone, t.hours FROM team_members m
JOIN teams t ON t.organization_id = m.organization_id AND t.id = m.team_id AND t.state = 'active'
WHERE m.organization_id = $1 AND t.id <> $2 AND m.user_id = ANY($3)"""

# In one order for all, as everybody who holds several teams does.
LOCK_TEAMS_OF: Final = """
SELECT t.id FROM teams t
WHERE t.organization_id = $1
  AND EXISTS (SELECT FROM team_members m WHERE m.organization_id = $1 AND m.team_id = t.id AND m.user_id = $2)
ORDER BY t.id FOR NO KEY UPDATE"""

REMOVE_MEMBER: Final = f"""
DELETE FROM team_members
WHERE organization_id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR team_id = $3) RETURNING {_MEMBER}"""


async def insert(tx: Transaction, organization_id: UUID, team_id: UUID, fields: dict[str, Any]) -> Team:
    """A new one."""
    row = await tx.fetchrow(INSERT, organization_id, team_id, *_values(fields))
    assert row is not None
    return _team(row)


async def read(tx: Transaction, organization_id: UUID, team_id: UUID) -> Team | None:
    """One of them."""
    row = await tx.fetchrow(READ, organization_id, team_id)
    return None if row is None else _team(row)


async def lock(tx: Transaction, organization_id: UUID, team_id: UUID) -> Team | None:
    """The same, held against changes of it and of its members, and against whoever distributes its clients."""
    row = await tx.fetchrow(LOCK, organization_id, team_id)
    return None if row is None else _team(row)


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Team]:
    """`limit` of them in this order, after the one with the key `after`."""
    rows = await order.read(tx, PAGE, Where(organization_id), after, limit)
    return [_team(row) for row in rows]


async def update(tx: Transaction, team: Team) -> Team:
    """As `team` says."""
    fields = {
        name: getattr(team, name)
        for name in ("name", "skills", "distribution", "sticky", "time_zone", "hours")
    }
    row = await tx.fetchrow(UPDATE, team.organization_id, team.id, *_values(fields), team.state)
    assert row is not None
    return _team(row)


async def put_member(tx: Transaction, team: Team, user_id: UUID, fields: dict[str, Any]) -> Member:
    """Somebody belongs to a team that the transaction holds, or belongs to it otherwise than before."""
    row = await tx.fetchrow(
        PUT_MEMBER,
        team.organization_id,
        tx.app.new_id(),
        team.id,
        user_id,
        fields["lead"],
        fields["skills"],
        fields["capacity"],
        fields["weight"],
    )
    assert row is not None
    return Member(**row)


async def read_member(tx: Transaction, organization_id: UUID, team_id: UUID, user_id: UUID) -> Member | None:
    """Somebody's membership."""
    row = await tx.fetchrow(READ_MEMBER, organization_id, team_id, user_id)
    return None if row is None else Member(**row)


async def page_members(
    tx: Transaction,
    organization_id: UUID,
    team_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Member]:
    """`limit` of a team's members in this order, after the one with the key `after`."""
    where = Where(organization_id).equal({"team_id": team_id})
    return [Member(**row) for row in await order.read(tx, PAGE_MEMBERS, where, after, limit)]


async def lock_teams_of(tx: Transaction, organization_id: UUID, user_id: UUID) -> None:
    """Hold every team that somebody belongs to."""
    await tx.fetch(LOCK_TEAMS_OF, organization_id, user_id)


async def remove_member(
    tx: Transaction, organization_id: UUID, user_id: UUID, team_id: UUID | None
) -> list[Member]:
    """Somebody belongs no longer to a team that the transaction holds, or to all of theirs: what they were."""
    rows = await tx.fetch(REMOVE_MEMBER, organization_id, user_id, team_id)
    return [Member(**row) for row in rows]


async def hours_beside(
    tx: Transaction, team: Team, users: Sequence[UUID]
) -> list[tuple[UUID, str, list[WorkingHours]]]:
    """Whose other teams work when: (person, time zone, hours) of each that is not archived."""
    rows = await tx.fetch(HOURS_BESIDE, team.organization_id, team.id, list(users))
    return [
        (row["user_id"], row["time_zone"], msgspec.convert(row["hours"], list[WorkingHours])) for row in rows
    ]


def _values(fields: dict[str, Any]) -> list[Any]:
    return [
        fields["name"],
        fields["skills"],
        fields["distribution"],
        fields["sticky"],
        fields["time_zone"],
        msgspec.to_builtins(fields["hours"]),
    ]


def _team(row: Row) -> Team:
    return Team(**{**row, "hours": msgspec.convert(row["hours"], list[WorkingHours])})
