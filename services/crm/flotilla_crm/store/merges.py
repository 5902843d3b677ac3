"""Contacts that become one, become two again, or go."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.merging import Merge
from flotilla_crm.domain.normal import folded
from flotilla_crm.domain.tasks import Task
from flotilla_crm.store import bookings
from flotilla_crm.store.contacts import CONTACT_COLUMNS
from flotilla_crm.store.tasks import TASK_COLUMNS

MERGE_COLUMNS: Final = "id, sequence, winner_id, loser_id, loser, changed, actor, merged_at, undone_at"
IDENTITY: Final = "id, sequence, channel, address, name"

# In one order for all, so that two merges of the same people wait for each other, never in a circle.
HOLD: Final = f"""
SELECT {CONTACT_COLUMNS} FROM contacts WHERE organization_id = $1 AND id = ANY ($2::uuid[])
ORDER BY id FOR UPDATE"""  # noqa: S608

# What names the contact in each table; a table that gets such a column is added here.
QUIET: Final = ("notes", "timeline_entries")
MOVED_QUIETLY: Final = (*QUIET, "bookings", "leads")
_MOVE: Final = """
WITH moved AS (
    UPDATE {table} SET contact_id = $3{count} WHERE organization_id = $1 AND contact_id = $2 RETURNING {columns}
), kept AS (INSERT INTO contact_merge_moves (organization_id, merge_id, kind, id)
            SELECT $1, $4, '{table}', id FROM moved)
SELECT {columns} FROM moved"""
_MOVE_BACK: Final = """
UPDATE {table} SET contact_id = $2{count} FROM contact_merge_moves m
WHERE m.organization_id = $1 AND m.merge_id = $4 AND m.kind = '{table}'
  AND {table}.organization_id = $1 AND {table}.id = m.id AND {table}.contact_id = $3
RETURNING {columns}"""

INSERT_MERGE: Final = f"""
INSERT INTO contact_merges (organization_id, id, winner_id, loser_id, loser, changed, actor)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {MERGE_COLUMNS}"""  # noqa: S608
UNDO_MERGE: Final = f"""
UPDATE contact_merges SET sequence = sequence + 1, undone_at = now()
WHERE organization_id = $1 AND id = $2 RETURNING {MERGE_COLUMNS}"""  # noqa: S608
READ_MERGE: Final = f"SELECT {MERGE_COLUMNS} FROM contact_merges WHERE organization_id = $1 AND id = $2"  # noqa: S608
MERGES: Final = f"SELECT {MERGE_COLUMNS} FROM contact_merges"  # noqa: S608

BURY: Final = """
INSERT INTO contact_tombstones (organization_id, id, sequence, merged_into)
SELECT organization_id, id, sequence + 1, $3 FROM contacts WHERE organization_id = $1 AND id = $2
RETURNING sequence"""
REMOVE: Final = "DELETE FROM contacts WHERE organization_id = $1 AND id = $2"
UNBURY: Final = "DELETE FROM contact_tombstones WHERE organization_id = $1 AND id = $2 RETURNING sequence"
RESTORE: Final = f"""
INSERT INTO contacts (organization_id, id, sequence, name, search_name, email, phone, language, company_id, owner_id,
                      tags, source, custom_fields, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING {CONTACT_COLUMNS}"""  # noqa: S608
GONE: Final = "SELECT merged_into FROM contact_tombstones WHERE organization_id = $1 AND id = $2"

FREE_TASKS: Final = f"""
UPDATE tasks SET sequence = sequence + 1, contact_id = NULL WHERE organization_id = $1 AND contact_id = $2
RETURNING {TASK_COLUMNS}"""  # noqa: S608
FREE_IDENTITIES: Final = """
UPDATE channel_identities SET sequence = sequence + 1, contact_id = NULL, freed_at = now(), address = NULL, name = NULL
WHERE organization_id = $1 AND contact_id = $2 RETURNING id"""
# What is about a company as well stays with the company.
FREE: Final = """
UPDATE {table} SET contact_id = NULL
WHERE organization_id = $1 AND contact_id = $2 AND company_id IS NOT NULL"""
DROP: Final = "DELETE FROM {table} WHERE organization_id = $1 AND contact_id = $2"
FORGET_MERGES: Final = """
DELETE FROM contact_merges WHERE organization_id = $1 AND (winner_id = $2 OR loser_id = $2)"""


async def hold(tx: Transaction, org: UUID, *ids: UUID) -> dict[UUID, Contact]:
    """The contacts of these that there are, held until the commit."""
    return {row["id"]: Contact(**row) for row in await tx.fetch(HOLD, org, list(ids))}


async def move(
    tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID
) -> tuple[list[Task], list[Row]]:
    """Give everything of the loser to the winner, and remember it: the tasks and identities that moved."""
    for table in MOVED_QUIETLY:
        await tx.execute(_sql(_MOVE, table, "id"), org, loser, winner, merge_id)
    return await _tasks_and_identities(tx, _MOVE, org, loser, winner, merge_id)


async def move_back(
    tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID
) -> tuple[list[Task], list[Row]]:
    """Give back what the merge moved and is still the winner's."""
    for table in MOVED_QUIETLY:
        await tx.execute(_sql(_MOVE_BACK, table, f"{table}.id"), org, loser, winner, merge_id)
    return await _tasks_and_identities(tx, _MOVE_BACK, org, loser, winner, merge_id)


async def add_merge(tx: Transaction, org: UUID, merge: Merge) -> Merge:
    """Write down what a merge did."""
    row = await tx.fetchrow(
        INSERT_MERGE,
        org,
        merge.id,
        merge.winner_id,
        merge.loser_id,
        merge.loser,
        merge.changed,
        merge.actor,
    )
    return _merge(row)


async def end_merge(tx: Transaction, org: UUID, merge_id: UUID) -> Merge:
    """Write down that it was undone."""
    return _merge(await tx.fetchrow(UNDO_MERGE, org, merge_id))


async def read_merge(tx: Transaction, org: UUID, merge_id: UUID, *, lock: bool = False) -> Merge | None:
    """One merge, held until the commit with `lock`."""
    row = await tx.fetchrow(READ_MERGE + " FOR UPDATE" * lock, org, merge_id)
    return None if row is None else _merge(row)


async def merges_of(
    tx: Transaction, org: UUID, contact_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Merge]:
    """The merges in which a contact stayed or went, in this order, after the one with the key `after`."""
    where = Where(org).also("(winner_id = {} OR loser_id = {})", contact_id, contact_id)
    return [_merge(row) for row in await order.read(tx, MERGES, where, after, limit)]


async def bury(tx: Transaction, org: UUID, contact_id: UUID, merged_into: UUID | None = None) -> int:
    """Remove a contact that nothing names any more and leave a tombstone: the sequence of its end."""
    sequence: int = await tx.fetchval(BURY, org, contact_id, merged_into)
    await tx.execute(REMOVE, org, contact_id)
    return sequence


async def restore(tx: Transaction, org: UUID, contact: Contact) -> Contact:
    """Write a contact that was merged away again; its sequence goes on from its tombstone's."""
    ended: int = await tx.fetchval(UNBURY, org, contact.id)
    values: Sequence[Any] = (
        contact.name,
        folded(contact.name or ""),
        contact.email,
        contact.phone,
        contact.language,
        contact.company_id,
        contact.owner_id,
        contact.tags,
        contact.source,
        contact.custom_fields,
        contact.created_at,
    )
    row = await tx.fetchrow(RESTORE, org, contact.id, ended + 1, *values)
    assert row is not None
    return Contact(**row)


async def tombstone(tx: Transaction, org: UUID, contact_id: UUID) -> Row | None:
    """Of a contact that is no more: what it was merged into, if it was."""
    return await tx.fetchrow(GONE, org, contact_id)


async def let_go(tx: Transaction, org: UUID, contact_id: UUID) -> tuple[list[Task], list[UUID]]:
    """Leave nothing that names a contact: the tasks that stay, about nobody, and the identities that are free."""
    tasks = [Task(**row) for row in await tx.fetch(FREE_TASKS, org, contact_id)]
    identities = [row["id"] for row in await tx.fetch(FREE_IDENTITIES, org, contact_id)]
    for table in QUIET:
        await tx.execute(FREE.format(table=table), org, contact_id)
        await tx.execute(DROP.format(table=table), org, contact_id)
    # Leads go with the contact, by their foreign key.
    await bookings.forget_contact(tx, org, contact_id)
    await tx.execute(FORGET_MERGES, org, contact_id)
    return tasks, identities


async def _tasks_and_identities(
    tx: Transaction, template: str, org: UUID, loser: UUID, winner: UUID, merge_id: UUID
) -> tuple[list[Task], list[Row]]:
    ids = (org, loser, winner, merge_id)
    tasks = await tx.fetch(_sql(template, "tasks", _of("tasks", TASK_COLUMNS, template), counted=True), *ids)
    columns = _of("channel_identities", IDENTITY, template)
    identities = await tx.fetch(_sql(template, "channel_identities", columns, counted=True), *ids)
    return [Task(**row) for row in tasks], identities


def _of(table: str, columns: str, template: str) -> str:
    """Told apart from the moves' own columns where both stand in one statement."""
    if template is _MOVE:
        return columns
    return ", ".join(f"{table}.{column.strip()}" for column in columns.split(","))


def _sql(template: str, table: str, columns: str, *, counted: bool = False) -> str:
    """A statement for one of the tables above; nothing of a caller's stands in it."""
    count = f", sequence = {table}.sequence + 1" if counted else ""
    return template.format(table=table, columns=columns, count=count)


def _merge(row: Row | None) -> Merge:
    assert row is not None
    return Merge(**row)
