"""All that an organization has in a service's tables, whatever they are: found in the database's own catalogue."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from graphlib import TopologicalSorter
from typing import Any, Final
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import RetryLater
from flotilla.privacy.declare import Counts
from flotilla.privacy.rows import bytes_of
from flotilla.store.postgres import Database, Transaction

AT_ONCE: Final = 5000
READ_AT_ONCE: Final = 1000
SOON: Final = timedelta(seconds=1)
TABLES: Final = """
SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attname = 'organization_id' AND NOT a.attisdropped ORDER BY 1"""
REFERENCES: Final = """
SELECT child.relname AS child, parent.relname AS parent
FROM pg_constraint k JOIN pg_class child ON child.oid = k.conrelid JOIN pg_class parent ON parent.oid = k.confrelid
WHERE k.contype = 'f' AND child.relnamespace = $1::regnamespace AND k.conparentid = 0 AND child.oid <> parent.oid"""
DELETE: Final = """
WITH part AS (SELECT tableoid, ctid FROM {table} WHERE organization_id = $1 LIMIT {limit})
DELETE FROM {table} t USING part WHERE t.tableoid = part.tableoid AND t.ctid = part.ctid"""
OF_THE_BUS: Final = (
    "DELETE FROM parked_events WHERE organization_id = $1",
    "DELETE FROM idempotency_keys WHERE scope LIKE $1::uuid::text || ':%'",
    "DELETE FROM retained WHERE organization_id = $1",
    "DELETE FROM known_flags WHERE organization_id = $1",
    "DELETE FROM replays WHERE organization_id = $1 AND state IN ('finished', 'failed')",
)
NOTE: Final = """
UPDATE asked_erasures
SET erased = erased || (SELECT jsonb_object_agg(name, coalesce((erased ->> name)::bigint, 0) + number)
                        FROM unnest($2::text[], $3::bigint[]) AS t (name, number))
WHERE request_id = $1"""
# Also what was asked about one of its people meanwhile; not the job that this is.
OTHER_JOBS: Final = "DELETE FROM jobs WHERE organization_id = $1 AND (kind <> $2 OR key <> $3)"


LEAVES: Final = """
SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND a.attname = 'organization_id' AND NOT a.attisdropped
ORDER BY 1"""
# By the place of a row on disk: any table has one, and a page is found without reading those before it.
PAGE: Final = """
SELECT ctid::text AS place, to_jsonb(t) - $3::text[] AS row FROM "{table}" t
WHERE organization_id = $1 AND ctid > $2::text::tid ORDER BY ctid LIMIT {limit}"""


async def read_all(app: App, org: UUID) -> AsyncIterator[tuple[str, list[Any]]]:
    """All rows of an organization, as JSON gives them: table by table, some at a time."""
    for row in await app.db.fetch(LEAVES, app.service.name):
        table, place = row["name"], "(0,0)"
        while True:
            async with app.db.transaction(org) as tx:
                secret = await bytes_of(tx, table)
                page = await tx.fetch(PAGE.format(table=table, limit=READ_AT_ONCE), org, place, secret)
            if page:
                place = page[-1]["place"]
                yield table, [each["row"] for each in page]
            if len(page) < READ_AT_ONCE:
                break


async def tables_of(db: Database, schema: str) -> list[str]:
    """Tables with an organization, children before their parents."""
    names = {row["name"] for row in await db.fetch(TABLES, schema)}
    order: TopologicalSorter[str] = TopologicalSorter({name: set() for name in names})
    for row in await db.fetch(REFERENCES, schema):
        if row["parent"] in names and row["child"] in names:
            order.add(row["parent"], row["child"])
    return list(order.static_order())


async def forget(app: App, request_id: UUID, org: UUID, kept: Mapping[str, str], own_kind: str) -> None:
    """Delete all rows of an organization, some at a time, each in a transaction with the count of them; safe to
    repeat."""
    await drop_jobs(app.db, request_id, org, own_kind)
    for statement in OF_THE_BUS:
        await app.db.execute(statement, org)
    for table in await tables_of(app.db, app.service.name):
        number = 0 if table in kept else AT_ONCE
        while number == AT_ONCE:
            if app.stopping.is_set():
                raise RetryLater(SOON, "the process stops")
            async with app.db.transaction(org) as tx:
                number = int((await tx.execute(DELETE.format(table=table, limit=AT_ONCE), org)).split()[-1])
                await note(tx, request_id, {table: number})


async def drop_jobs(store: Transaction | Database, request_id: UUID, org: UUID, own_kind: str) -> None:
    """All work for an organization but this; at the end once more, for what was in hand may have asked for more."""
    await store.execute(OTHER_JOBS, org, own_kind, f"erase:{request_id}")


async def note(store: Transaction | Database, request_id: UUID, counts: Counts) -> None:
    """Add to what the answer will say, so that it is right whatever dies meanwhile."""
    if found := {name: number for name, number in counts.items() if number}:
        await store.execute(NOTE, request_id, list(found), list(found.values()))
