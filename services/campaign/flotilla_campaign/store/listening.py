"""Whose messages are listened for, and whether the lane is bound."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

BEGIN: Final = """
INSERT INTO listening (organization_id, enrolment_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT DO NOTHING"""
END: Final = """
UPDATE listening SET over_at = now() FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
WHERE organization_id = t.org AND enrolment_id = t.id"""
FORGET: Final = "DELETE FROM listening WHERE over_at < now() - make_interval(secs => $1)"
ORGANIZATIONS: Final = "SELECT DISTINCT organization_id FROM listening WHERE organization_id = ANY($1)"
ANYBODY: Final = "SELECT EXISTS (SELECT FROM listening)"

# Written before the lane is bound, so that who unbinds can see that somebody has just bound it again.
NOTE_BOUND: Final = """
INSERT INTO bound (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET wanted_at = now()"""
TAKE_UNWANTED: Final = """
DELETE FROM bound WHERE wanted_at < now() - make_interval(secs => $1) AND NOT EXISTS (SELECT FROM listening)
RETURNING id"""
STILL_BOUND: Final = "SELECT EXISTS (SELECT FROM bound)"

LANE_ROW: Final = UUID(int=0)


async def begin(tx: Transaction, listened_for: Sequence[tuple[UUID, UUID]]) -> None:
    """Somebody is enrolled, or shall be: (organization, enrolment or campaign)."""
    await tx.execute(BEGIN, [org for org, _ in listened_for], [id_ for _, id_ in listened_for])


async def end(tx: Transaction, over: Sequence[tuple[UUID, UUID]]) -> None:
    """They are heard for a while yet: (organization, enrolment or campaign)."""
    await tx.execute(END, [org for org, _ in over], [id_ for _, id_ in over])


async def heard(tx: Transaction, orgs: Iterable[UUID]) -> set[UUID]:
    """Those of these organizations that have somebody to listen for."""
    return {row["organization_id"] for row in await tx.fetch(ORGANIZATIONS, sorted(orgs))}


async def forget(db: Database, after_seconds: float) -> None:
    """Let go of those that ended long ago."""
    await db.execute(FORGET, after_seconds)


async def anybody(db: Database) -> bool:
    """Whether there is somebody to listen for."""
    return bool(await db.fetchval(ANYBODY))


async def note_bound(db: Database) -> None:
    """The lane is about to be bound."""
    await db.execute(NOTE_BOUND, LANE_ROW)


async def take_unwanted(db: Database, rest_seconds: float) -> bool:
    """Whether the lane is bound and nobody has wanted it for so long; the caller unbinds it."""
    return await db.fetchval(TAKE_UNWANTED, rest_seconds) is not None


async def still_bound(db: Database) -> bool:
    """Whether somebody has bound it again meanwhile."""
    return bool(await db.fetchval(STILL_BOUND))
