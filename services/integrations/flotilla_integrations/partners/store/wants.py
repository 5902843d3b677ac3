"""Which types are wanted, and which the lane is bound to."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

CHANGED: Final = "partners"
"""The channel of NOTIFY."""

WANT: Final = """
INSERT INTO partner_wants (pattern, organization_id, subscription_id)
SELECT pattern, $1, $2 FROM unnest($3::text[]) AS pattern ON CONFLICT DO NOTHING"""
WANT_NO_OTHER: Final = """
DELETE FROM partner_wants WHERE organization_id = $1 AND subscription_id = $2 AND pattern <> ALL($3)"""
PATTERNS: Final = "SELECT DISTINCT pattern FROM partner_wants"
NOTE_ORGANIZATION: Final = "INSERT INTO partner_organizations (id) VALUES ($1) ON CONFLICT DO NOTHING"
ORGANIZATIONS: Final = "SELECT id FROM partner_organizations WHERE id > $1 ORDER BY id LIMIT $2"
WITH_WANTS: Final = """
SELECT DISTINCT w.organization_id FROM unnest($1::uuid[]) AS t (org)
JOIN partner_wants w ON w.organization_id = t.org"""

# Written before the lane is bound, so that who unbinds can see that somebody has just bound it again.
NOTE_BOUND: Final = """
INSERT INTO partner_bound_types (type) SELECT type FROM unnest($1::text[]) AS type ORDER BY type
ON CONFLICT (type) DO UPDATE SET wanted_at = now()"""
TAKE_UNWANTED: Final = """
DELETE FROM partner_bound_types WHERE wanted_at < now() - make_interval(secs => $1) AND type <> ALL($2)
RETURNING type"""
STILL_BOUND: Final = "SELECT type FROM partner_bound_types WHERE type = ANY($1)"


async def want(tx: Transaction, org: UUID, subscription_id: UUID, patterns: Iterable[str]) -> None:
    """A subscription wants these and no others; the other processes are told."""
    named = sorted(patterns)
    await tx.execute(NOTE_ORGANIZATION, org)
    await tx.execute(WANT_NO_OTHER, org, subscription_id, named)
    await tx.execute(WANT, org, subscription_id, named)
    await tx.notify(CHANGED)


async def organizations_with(tx: Transaction, orgs: Iterable[UUID]) -> set[UUID]:
    """Those of these in which somebody wants something."""
    rows = await tx.fetch(WITH_WANTS, sorted(orgs))
    return {row["organization_id"] for row in rows}


async def patterns(db: Database) -> list[str]:
    """What any subscription wants."""
    return [row["pattern"] for row in await db.fetch(PATTERNS)]


async def note_bound(db: Database, types: Sequence[str]) -> None:
    """They are about to be bound."""
    await db.execute(NOTE_BOUND, sorted(types))


async def take_unwanted(db: Database, rest_seconds: float, wanted: Iterable[str]) -> list[str]:
    """Types that nobody has wanted for so long; the caller unbinds them."""
    return [row["type"] for row in await db.fetch(TAKE_UNWANTED, rest_seconds, sorted(wanted))]


async def still_bound(db: Database, types: Sequence[str]) -> list[str]:
    """Those of these that somebody has bound again meanwhile."""
    return [row["type"] for row in await db.fetch(STILL_BOUND, list(types))]


async def organizations(db: Database, after: UUID, limit: int) -> list[UUID]:
    """Those that have had a subscription, some at a time."""
    return [row["id"] for row in await db.fetch(ORGANIZATIONS, after, limit)]
