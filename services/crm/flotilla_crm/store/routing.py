"""How leads find their owners."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_crm.domain.contacts import ASSIGNABLE_ROLES
from flotilla_crm.domain.leads import Lead
from flotilla_crm.domain.routing import Given, Mode, Taker, Unrouted
from flotilla_crm.store.leads import COLUMNS, Key, lead_of

# Held until the commit, so that two batches at once do not both think that it is the same person's turn.
RULES: Final = """
SELECT organization_id, mode, contact_owner_first FROM lead_routing
WHERE organization_id = ANY ($1::uuid[]) AND mode <> 'off' ORDER BY organization_id FOR UPDATE"""

TAKERS: Final = """
SELECT k.organization_id, k.id, k.took_at, loaded.load
FROM lead_takers k
JOIN users u ON u.organization_id = k.organization_id AND u.id = k.id AND u.active AND u.role = ANY ($2)
CROSS JOIN LATERAL (
    SELECT count(*) AS load FROM leads l
    WHERE l.organization_id = k.organization_id AND l.owner_id = k.id AND l.status IN ('new', 'working')) loaded
WHERE k.organization_id = ANY ($1::uuid[])"""

UNROUTED: Final = """
SELECT l.organization_id, l.id, u.id AS contact_owner_id
FROM leads l
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON l.organization_id = t.org AND l.id = t.id
JOIN contacts c ON c.organization_id = l.organization_id AND c.id = l.contact_id
LEFT JOIN users u ON u.organization_id = c.organization_id AND u.id = c.owner_id AND u.active AND u.role = ANY ($3)
WHERE l.owner_id IS NULL AND l.status IN ('new', 'working')
ORDER BY l.organization_id, l.id FOR UPDATE OF l"""

GIVE: Final = f"""
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[])
                  AS t (org, id, owner, at, rule)
), turns AS (
    UPDATE lead_takers k SET took_at = g.at
    FROM (SELECT org, owner, max(at) AS at FROM given WHERE rule <> 'contact_owner' GROUP BY org, owner) g
    WHERE k.organization_id = g.org AND k.id = g.owner)
UPDATE leads l SET sequence = l.sequence + 1, updated_at = now(), owner_id = g.owner
FROM given g, contacts c
WHERE l.organization_id = g.org AND l.id = g.id AND c.organization_id = l.organization_id AND c.id = l.contact_id
RETURNING {COLUMNS}, g.rule"""  # noqa: S608

READ: Final = """
SELECT r.sequence, r.mode, r.contact_owner_first,
       ARRAY (SELECT k.id FROM lead_takers k WHERE k.organization_id = $1 ORDER BY k.id) AS members
FROM lead_routing r WHERE r.organization_id = $1 AND r.id = $1"""

SAVE: Final = """
INSERT INTO lead_routing AS r (organization_id, id, mode, contact_owner_first) VALUES ($1, $1, $2, $3)
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = r.sequence + 1, updated_at = now(), mode = excluded.mode,
    contact_owner_first = excluded.contact_owner_first"""
REMOVE_TAKERS: Final = "DELETE FROM lead_takers WHERE organization_id = $1 AND id <> ALL ($2::uuid[])"
ADD_TAKERS: Final = """
INSERT INTO lead_takers (organization_id, id) SELECT $1, id FROM unnest($2::uuid[]) AS id ON CONFLICT DO NOTHING"""

WORKING: Final = """
SELECT id FROM users WHERE organization_id = $1 AND id = ANY ($2::uuid[]) AND active AND role = ANY ($3)"""


@dataclass(frozen=True)
class Rule:
    """How an organization's leads find their owners."""

    sequence: int
    """0 where nobody has said."""
    mode: Mode
    contact_owner_first: bool
    members: tuple[UUID, ...]


async def rules(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, Row]:
    """The rules of those of these organizations that have one, held until the commit."""
    return {row["organization_id"]: row for row in await tx.fetch(RULES, sorted(set(orgs)))}


async def takers(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, list[Taker]]:
    """Who takes leads and is there, by organization."""
    found: dict[UUID, list[Taker]] = defaultdict(list)
    for row in await tx.fetch(TAKERS, list(orgs), ASSIGNABLE_ROLES):
        found[row["organization_id"]].append(Taker(row["id"], row["took_at"], row["load"]))
    return found


async def unrouted(tx: Transaction, keys: Sequence[Key]) -> dict[UUID, list[Unrouted]]:
    """Those of these leads that are open and nobody's, held until the commit, by organization."""
    found: dict[UUID, list[Unrouted]] = defaultdict(list)
    rows = await tx.fetch(UNROUTED, [org for org, _ in keys], [id_ for _, id_ in keys], ASSIGNABLE_ROLES)
    for row in rows:
        found[row["organization_id"]].append(Unrouted(row["id"], row["contact_owner_id"]))
    return found


async def give(tx: Transaction, given: Sequence[tuple[UUID, Given]]) -> list[tuple[UUID, Lead, str]]:
    """Write whose leads are now, and whose turn it was: organization, lead, rule."""
    rows = await tx.fetch(
        GIVE,
        [org for org, _ in given],
        [each.lead_id for _, each in given],
        [each.owner_id for _, each in given],
        [each.at for _, each in given],
        [each.rule for _, each in given],
    )
    return [(row["organization_id"], lead_of(row), row["rule"]) for row in rows]


async def read(tx: Transaction, org: UUID, *, lock: bool = False) -> Rule:
    """An organization's rule; off where nobody has said."""
    row = await tx.fetchrow(READ + " FOR UPDATE OF r" * lock, org)
    if row is None:
        return Rule(0, Mode.OFF, True, ())
    return Rule(row["sequence"], Mode(row["mode"]), row["contact_owner_first"], tuple(row["members"]))


async def save(
    tx: Transaction, org: UUID, mode: Mode, members: Sequence[UUID], *, contact_owner_first: bool
) -> Rule:
    """Write it; those who stay keep their turn."""
    await tx.execute(SAVE, org, mode.value, contact_owner_first)
    await tx.execute(REMOVE_TAKERS, org, list(members))
    await tx.execute(ADD_TAKERS, org, sorted(members))
    return await read(tx, org)


async def cannot_take(tx: Transaction, org: UUID, members: Sequence[UUID]) -> list[UUID]:
    """Those who do not work here, or have a role that takes no work."""
    working = {row["id"] for row in await tx.fetch(WORKING, org, list(members), ASSIGNABLE_ROLES)}
    return [id_ for id_ in members if id_ not in working]
