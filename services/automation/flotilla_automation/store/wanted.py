"""Which types of events are wanted, and which the lane is bound to."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

CHANGED: Final = "wanted"
"""The channel of NOTIFY."""

WANT: Final = """
INSERT INTO wanted_types (type, organization_id, rule_id, version)
SELECT type, $2, $3, $4 FROM unnest($1::text[]) AS type
ON CONFLICT (type, organization_id, rule_id, version) DO UPDATE SET retired_at = NULL"""
RETIRE: Final = """
UPDATE wanted_types SET retired_at = now()
WHERE organization_id = $1 AND rule_id = $2 AND version <> $3 AND retired_at IS NULL"""
RETIRED: Final = """
SELECT DISTINCT organization_id FROM wanted_types WHERE retired_at IS NOT NULL LIMIT 200"""
FORGET: Final = """
DELETE FROM wanted_types w
WHERE w.organization_id = ANY($1) AND w.retired_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM runs r WHERE r.organization_id = w.organization_id AND r.rule_id = w.rule_id
                         AND r.version = w.version AND r.ended_at IS NULL)"""

WANTED: Final = "SELECT DISTINCT type FROM wanted_types"
# Written before the lane is bound, so that who unbinds can see that somebody has just bound it again.
NOTE_BOUND: Final = """
INSERT INTO bound_types (type) SELECT type FROM unnest($1::text[]) AS type ORDER BY type
ON CONFLICT (type) DO UPDATE SET wanted_at = now()"""
TAKE_UNWANTED: Final = """
DELETE FROM bound_types b
WHERE b.wanted_at < now() - make_interval(secs => $1) AND NOT EXISTS (
    SELECT FROM wanted_types w WHERE w.type = b.type) RETURNING b.type"""
STILL_BOUND: Final = "SELECT type FROM bound_types WHERE type = ANY($1)"
NOTE_ORGANIZATION: Final = "INSERT INTO organizations (id) VALUES ($1) ON CONFLICT DO NOTHING"
ORGANIZATIONS: Final = "SELECT id FROM organizations WHERE id > $1 ORDER BY id LIMIT $2"

WITH_RULES: Final = "SELECT id FROM organizations WHERE id = ANY($1)"

NO_VERSION: Final = 0


async def note_organization(tx: Transaction, org: UUID) -> None:
    """It has rules: its events are looked at."""
    await tx.execute(NOTE_ORGANIZATION, org)


async def with_rules(tx: Transaction, orgs: Iterable[UUID]) -> set[UUID]:
    """Those of these organizations that have had a rule."""
    return {row["id"] for row in await tx.fetch(WITH_RULES, sorted(orgs))}


async def want(tx: Transaction, org: UUID, rule_id: UUID, version: int, types: Iterable[str]) -> None:
    """This version is the rule's, and enabled; others of the rule are kept for their runs."""
    await tx.execute(WANT, sorted(types), org, rule_id, version)
    await tx.execute(RETIRE, org, rule_id, version)
    await tx.notify(CHANGED)


async def want_no_more(tx: Transaction, org: UUID, rule_id: UUID) -> None:
    """The rule is not enabled: its versions are kept for their runs only."""
    await tx.execute(RETIRE, org, rule_id, NO_VERSION)
    await tx.notify(CHANGED)


async def forget_retired(db: Database) -> None:
    """Drop the wants of versions that have no run left."""
    orgs = [row["organization_id"] for row in await db.fetch(RETIRED)]
    if orgs:
        async with db.transaction(orgs) as tx:
            await tx.execute(FORGET, orgs)


async def wanted(db: Database) -> list[str]:
    """Every type that some version needs."""
    return [row["type"] for row in await db.fetch(WANTED)]


async def note_bound(db: Database, types: Sequence[str]) -> None:
    """They are about to be bound."""
    await db.execute(NOTE_BOUND, sorted(types))


async def take_unwanted(db: Database, rest_seconds: float) -> list[str]:
    """Types that nobody has wanted for so long; the caller unbinds them."""
    return [row["type"] for row in await db.fetch(TAKE_UNWANTED, rest_seconds)]


async def still_bound(db: Database, types: Sequence[str]) -> list[str]:
    """Those of these that somebody has bound again meanwhile."""
    return [row["type"] for row in await db.fetch(STILL_BOUND, list(types))]


async def organizations(db: Database, after: UUID, limit: int) -> list[UUID]:
    """Those that have had a rule, some at a time."""
    return [row["id"] for row in await db.fetch(ORGANIZATIONS, after, limit)]
