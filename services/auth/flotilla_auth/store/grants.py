"""Grants between organizations, and the memberships that come of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an organization lets another do."""

    organization_id: UUID
    """Whose things they are."""
    id: UUID
    sequence: int
    grantee_id: UUID
    kind: str
    permissions: list[str]
    state: str
    expires_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: UUID | None

    @property
    def good(self) -> bool:
        """Whether it counts now."""
        over = self.expires_at is not None and self.expires_at <= datetime.now(UTC)
        return self.state == "active" and not over


class Received(NamedTuple):
    """That an organization was granted something."""

    id: UUID
    grantor_id: UUID


FIND_SLUG: Final = "SELECT organization_id FROM slugs WHERE slug_hash = sha256(convert_to($1, 'UTF8'))"
INSERT: Final = """
INSERT INTO organization_grants (organization_id, id, grantee_id, kind, permissions, state, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *"""
RECEIVE: Final = "INSERT INTO received_grants (organization_id, id, grantor_id) VALUES ($1, $2, $3)"
READ: Final = "SELECT * FROM organization_grants WHERE organization_id = $1 AND id = $2"
LOCK: Final = f"{READ} FOR UPDATE"
GIVEN: Final = "SELECT * FROM organization_grants"
RECEIVED: Final = "SELECT id, grantor_id FROM received_grants"
RECEIVED_ONE: Final = "SELECT grantor_id FROM received_grants WHERE organization_id = $1 AND id = $2"
OF_GRANTORS: Final = """
SELECT g.* FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN organization_grants g ON g.organization_id = t.org AND g.id = t.id"""
ACCEPT: Final = """
UPDATE organization_grants SET state = 'active', sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING *"""
REVOKE: Final = """
UPDATE organization_grants SET state = 'revoked', revoked_at = now(), revoked_by = $3, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING *"""
HAS_PARENT: Final = """
SELECT EXISTS (SELECT FROM organization_grants
               WHERE organization_id = $1 AND kind = 'administration' AND state = 'active')"""
DERIVE: Final = """
INSERT INTO derived_memberships (organization_id, user_id, parent_id, grant_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, user_id) DO UPDATE SET parent_id = excluded.parent_id, grant_id = excluded.grant_id"""
IS_DERIVED: Final = """
SELECT EXISTS (SELECT FROM derived_memberships
               WHERE organization_id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR grant_id = $3))"""
DERIVED_OF_GRANT: Final = """
SELECT user_id FROM derived_memberships WHERE organization_id = $1 AND grant_id = $2 ORDER BY user_id"""
DERIVED_OF_PEOPLE: Final = """
SELECT d.parent_id, d.organization_id, d.user_id FROM unnest($1::uuid[], $2::uuid[]) AS t (parent, person)
JOIN derived_memberships d ON d.parent_id = t.parent AND d.user_id = t.person
ORDER BY d.organization_id, d.user_id"""


async def find(db: Database, slug: str) -> UUID | None:
    """The organization with this address."""
    found: UUID | None = await db.fetchval(FIND_SLUG, slug)
    return found


async def insert(
    tx: Transaction,
    grantor: UUID,
    grant_id: UUID,
    *,
    grantee: UUID,
    kind: str,
    permissions: Sequence[str],
    state: str,
    expires_at: datetime | None,
) -> Grant:
    """A new one, with the word of it for the grantee; the transaction is of both."""
    row = await tx.fetchrow(INSERT, grantor, grant_id, grantee, kind, list(permissions), state, expires_at)
    await tx.execute(RECEIVE, grantee, grant_id, grantor)
    return _there(row)


async def read(tx: Transaction, grantor: UUID, grant_id: UUID) -> Grant | None:
    """One of an organization's."""
    row = await tx.fetchrow(READ, grantor, grant_id)
    return None if row is None else Grant(**row)


async def lock(tx: Transaction, grantor: UUID, grant_id: UUID) -> Grant | None:
    """The same, held against other changes."""
    row = await tx.fetchrow(LOCK, grantor, grant_id)
    return None if row is None else Grant(**row)


async def given(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Grant]:
    """What an organization lets others do, `limit` in this order, after the one with the key `after`."""
    return [Grant(**row) for row in await order.read(tx, GIVEN, Where(org), after, limit)]


async def received(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Received]:
    """What others let it do, alike."""
    return [Received(**row) for row in await order.read(tx, RECEIVED, Where(org), after, limit)]


async def grantor_of(tx: Transaction, org: UUID, grant_id: UUID) -> UUID | None:
    """Whose grant it is, where this organization has received it."""
    found: UUID | None = await tx.fetchval(RECEIVED_ONE, org, grant_id)
    return found


async def of_grantors(tx: Transaction, received: Sequence[Received]) -> list[Grant]:
    """These, in their order; the transaction is of the grantors."""
    rows = await tx.fetch(OF_GRANTORS, [each.grantor_id for each in received], [each.id for each in received])
    found = {row["id"]: Grant(**row) for row in rows}
    return [found[each.id] for each in received if each.id in found]


async def accept(tx: Transaction, grant: Grant) -> Grant:
    """Good from now on."""
    return _there(await tx.fetchrow(ACCEPT, grant.organization_id, grant.id))


async def revoke(tx: Transaction, grant: Grant, by: UUID) -> Grant:
    """Good for nothing any more."""
    return _there(await tx.fetchrow(REVOKE, grant.organization_id, grant.id, by))


async def has_parent(tx: Transaction, org: UUID) -> bool:
    """Whether another looks after it."""
    found: bool = await tx.fetchval(HAS_PARENT, org)
    return found


async def derive(tx: Transaction, child: UUID, user_id: UUID, grant: Grant) -> None:
    """Their membership of the child comes of the grant."""
    await tx.execute(DERIVE, child, user_id, grant.grantee_id, grant.id)


async def is_derived(tx: Transaction, child: UUID, user_id: UUID, grant_id: UUID | None = None) -> bool:
    """Whether their membership comes of a grant, of this one where one is named, and is not their own."""
    found: bool = await tx.fetchval(IS_DERIVED, child, user_id, grant_id)
    return found


async def derived_of(tx: Transaction, grant: Grant) -> list[UUID]:
    """Whose membership of the child comes of this grant."""
    rows = await tx.fetch(DERIVED_OF_GRANT, grant.organization_id, grant.id)
    return [row["user_id"] for row in rows]


async def derived_of_people(
    tx: Transaction, people: Sequence[tuple[UUID, UUID]]
) -> list[tuple[UUID, UUID, UUID]]:
    """(parent, child, person) of these (parent, person)."""
    rows = await tx.fetch(DERIVED_OF_PEOPLE, [org for org, _ in people], [id_ for _, id_ in people])
    return [(row["parent_id"], row["organization_id"], row["user_id"]) for row in rows]


def _there(row: Row | None) -> Grant:
    assert row is not None
    return Grant(**row)
