"""What stands of a person in the bus's own tables: the same in every service, declared by none of them."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from flotilla.privacy.declare import Counts, Person
from flotilla.privacy.redaction import body_without_personal
from flotilla.privacy.rows import Found
from flotilla.store import answers
from flotilla.store.postgres import Database, Transaction

NAMED_EVENTS: Final = {
    "parked_events": """
SELECT ctid::text AS place, body FROM parked_events WHERE organization_id = $1 AND uuids_in(body) && $2::uuid[]
FOR UPDATE""",
    "outbox": """
SELECT ctid::text AS place, body FROM outbox
WHERE position(convert_to($1::text, 'UTF8') IN body) > 0 AND uuids_in(body) && $2::uuid[] FOR UPDATE""",
}
REWRITE: Final = {
    "parked_events": """
UPDATE parked_events p SET body = t.body FROM unnest($1::text[], $2::bytea[]) AS t (place, body)
WHERE p.ctid = t.place::tid""",
    "outbox": """
UPDATE outbox o SET body = t.body FROM unnest($1::text[], $2::bytea[]) AS t (place, body)
WHERE o.ctid = t.place::tid""",
}
DROP_PARKED: Final = "DELETE FROM parked_events WHERE ctid = ANY($1::text[]::tid[])"
DROP_JOBS: Final = """
DELETE FROM jobs WHERE organization_id = $1 AND kind <> $3
  AND (uuids_in(payload) && $2::uuid[] OR uuids_in(key) && $2::uuid[])"""
HAS_SAGAS: Final = "SELECT to_regclass('sagas') IS NOT NULL"
RUNNING: Final = """
SELECT count(*) FROM sagas WHERE organization_id = $1 AND ended_at IS NULL
  AND (uuids_in(context) && $2::uuid[] OR subject_id = ANY($2::uuid[]))"""
EMPTY_SAGAS: Final = """
UPDATE sagas SET context = '{}' WHERE organization_id = $1 AND ended_at IS NOT NULL
  AND (uuids_in(context) && $2::uuid[] OR subject_id = ANY($2::uuid[])) AND context <> '{}'"""
REPLAYING: Final = "SELECT count(*) FROM replays WHERE state IN ('filling', 'failing')"
SAGAS: Final = "sagas"


async def forget(tx: Transaction, org: UUID, person: Person, found: Found, own_kind: str) -> Counts:
    """Redact events that wait, drop work about what is gone, empty stored answers and ended sagas."""
    names = found.names(person)
    counts: Counts = {}
    for table in ("parked_events", "outbox"):
        counts[table] = await _redact(tx, table, org, names)
    gone = sorted({*person.ids, *found.deleted})
    counts["jobs"] = _count(await tx.execute(DROP_JOBS, org, gone, own_kind))
    counts["idempotency_keys"] = await answers.take_back(tx, org, names)
    if await tx.fetchval(HAS_SAGAS):
        counts[SAGAS] = _count(await tx.execute(EMPTY_SAGAS, org, names))
    return {table: count for table, count in counts.items() if count}


async def what_stands_against(tx: Transaction, org: UUID, names: Sequence[UUID]) -> str | None:
    """A saga about them that has not ended, a replay that may hold them: why it must wait, or None."""
    if await tx.fetchval(REPLAYING):
        return "a replay is running"
    if await tx.fetchval(HAS_SAGAS) and await tx.fetchval(RUNNING, org, list(names)):
        return "a saga about them is running"
    return None


async def is_replaying(db: Database) -> bool:
    """Whether projections are being built anew."""
    return bool(await db.fetchval(REPLAYING))


async def _redact(tx: Transaction, table: str, org: UUID, names: Collection[UUID]) -> int:
    key = str(org) if table == "outbox" else org
    rows = await tx.fetch(NAMED_EVENTS[table], key, list(names))
    bodies = {row["place"]: body_without_personal(row["body"]) for row in rows}
    kept = {place: body for place, body in bodies.items() if body is not None}
    if kept:
        await tx.execute(REWRITE[table], list(kept), list(kept.values()))
    if table == "parked_events" and (unreadable := [place for place in bodies if place not in kept]):
        await tx.execute(DROP_PARKED, unreadable)
    return len(rows)


def _count(tag: str) -> int:
    return int(tag.split()[-1])
