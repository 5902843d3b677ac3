# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Organizations."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_auth.domain.entities import Organization

_COLUMNS: Final = (
    "id, name, slug, locale, time_zone, currency, region, state, onboarding, suspended_from, suspension_reason,"
    " second_factor_required, allowed_origins, domain, sequence, created_at"
)

INSERT: Final = f"""
INSERT INTO organizations (organization_id, id, name, slug, locale, time_zone, currency, region, state,
                           onboarding)
VALUES ($1, $1, $2, $3, $4, $5, $6, $7, 'trial', 'running') RETURNING {_COLUMNS}"""

TAKE_SLUG: Final = """
INSERT INTO slugs (slug_hash, organization_id) VALUES (sha256(convert_to($1, 'UTF8')), $2)
ON CONFLICT (slug_hash) DO NOTHING RETURNING organization_id"""

# One that it had before is its own still.
TAKE_ANOTHER_SLUG: Final = """
INSERT INTO slugs AS s (slug_hash, organization_id)
SELECT sha256(convert_to($1, 'UTF8')), $2
WHERE (SELECT count(*) FROM slugs WHERE organization_id = $2) < $3
   OR EXISTS (SELECT FROM slugs WHERE organization_id = $2 AND slug_hash = sha256(convert_to($1, 'UTF8')))
ON CONFLICT (slug_hash) DO UPDATE SET organization_id = $2 WHERE s.organization_id = $2
RETURNING organization_id"""

READ: Final = f"SELECT {_COLUMNS} FROM organizations WHERE organization_id = $1"

LOCK: Final = f"{READ} FOR NO KEY UPDATE"

HOLD: Final = f"{READ} FOR SHARE"

ANY_REQUIRES: Final = """
SELECT EXISTS (SELECT FROM organizations WHERE organization_id = ANY($1) AND second_factor_required)"""

# Of a person who is active there; each organization's rows are its own, so all of them are the transaction's.
OF_PERSON: Final = """
SELECT o.id, o.name, o.slug, u.role FROM users u
JOIN organizations o ON o.organization_id = u.organization_id AND o.id = u.organization_id
WHERE u.organization_id = ANY($1) AND u.id = $2 AND u.state = 'active' ORDER BY o.name, o.id"""

UPDATE: Final = f"""
UPDATE organizations SET name = $2, locale = $3, time_zone = $4, currency = $5, state = $6, onboarding = $7,
    suspended_from = $8, suspension_reason = $9, second_factor_required = $10, allowed_origins = $11, slug = $12,
    domain = $13, sequence = sequence + 1
WHERE organization_id = $1 RETURNING {_COLUMNS}"""


async def insert(
    tx: Transaction,
    organization_id: UUID,
    *,
    name: str,
    slug: str,
    locale: str,
    time_zone: str,
    currency: str,
    region: str,
) -> Organization:
    """A new one; where another has the slug, part of the id makes it different."""
    if not await tx.fetchval(TAKE_SLUG, slug, organization_id):
        slug = f"{slug}-{organization_id.hex[-12:]}"
        await tx.execute(TAKE_SLUG, slug, organization_id)
    return _read(await tx.fetchrow(INSERT, organization_id, name, slug, locale, time_zone, currency, region))


async def read(tx: Transaction, organization_id: UUID) -> Organization:
    """The organization of the transaction."""
    return _read(await tx.fetchrow(READ, organization_id))


async def lock(tx: Transaction, organization_id: UUID) -> Organization:
    """The same, held against other changes: of its settings, and of who its owners are."""
    return _read(await tx.fetchrow(LOCK, organization_id))


async def hold(tx: Transaction, organization_id: UUID) -> Organization:
    """The same, held only against being changed."""
    return _read(await tx.fetchrow(HOLD, organization_id))


async def any_requires_second_factor(tx: Transaction, organizations: list[UUID]) -> bool:
    """Whether one of them lets nobody in without."""
    found: bool = await tx.fetchval(ANY_REQUIRES, organizations)
    return found


async def take_slug(tx: Transaction, organization_id: UUID, slug: str, most: int) -> bool:
    """Have it for this organization beside those that it had; False where another has it, or it has had `most`."""
    return await tx.fetchval(TAKE_ANOTHER_SLUG, slug, organization_id, most) is not None


async def of_person(tx: Transaction, organizations: list[UUID], user_id: UUID) -> list[Row]:
    """`id`, `name`, `slug` and their `role` of each where they have access."""
    return await tx.fetch(OF_PERSON, organizations, user_id)


async def update(tx: Transaction, wanted: Organization) -> Organization:
    """As `wanted` says, but for its region; its slug has been taken."""
    row = await tx.fetchrow(
        UPDATE,
        wanted.id,
        wanted.name,
        wanted.locale,
        wanted.time_zone,
        wanted.currency,
        wanted.state,
        wanted.onboarding,
        wanted.suspended_from,
        wanted.suspension_reason,
        wanted.second_factor_required,
        wanted.allowed_origins,
        wanted.slug,
        wanted.domain,
    )
    return _read(row)


def _read(row: Row | None) -> Organization:
    if row is None:
        raise LookupError("a principal names an organization that is not there")
    return Organization(**row)
