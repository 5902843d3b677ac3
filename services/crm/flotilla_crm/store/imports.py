"""Imports: their files, how far they are, and what they write."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.imports import Import, Mistake
from flotilla_crm.domain.normal import folded

COLUMNS: Final = (
    "id, sequence, name, state, dry_run, plan, position, rows_read, created, updated, failed, reason, started_by,"
    " created_at, updated_at"
)

INSERT: Final = f"""
INSERT INTO imports (organization_id, id, name, started_by) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}"""  # noqa: S608
READ: Final = f"SELECT {COLUMNS} FROM imports WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM imports"  # noqa: S608
DELETE: Final = "DELETE FROM imports WHERE organization_id = $1 AND id = $2"
BEGIN: Final = f"""
UPDATE imports SET sequence = sequence + 1, updated_at = now(), state = 'running', dry_run = $3, plan = $4,
                   position = $5, rows_read = 0, created = 0, updated = 0, failed = 0, reason = NULL
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608
ADVANCE: Final = f"""
UPDATE imports SET sequence = sequence + 1, updated_at = now(), position = $3, rows_read = rows_read + $4,
                   created = created + $5, updated = updated + $6, failed = failed + $7
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608
END: Final = f"""
UPDATE imports SET sequence = sequence + 1, updated_at = now(), state = $3, reason = $4
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

PUT_PART: Final = """
INSERT INTO import_parts (organization_id, import_id, number, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, import_id, number) DO UPDATE SET body = excluded.body"""
DROP_PARTS: Final = "DELETE FROM import_parts WHERE organization_id = $1 AND import_id = $2"
PARTS: Final = """
SELECT count(*) AS parts, coalesce(max(number), 0) AS last, coalesce(sum(octet_length(body)), 0)::bigint AS bytes
FROM import_parts WHERE organization_id = $1 AND import_id = $2"""
# Lengths are known without reading the parts; of those that are wanted, only what is wanted is read.
READ_BYTES: Final = """
WITH placed AS (
    SELECT number, sum(octet_length(body)) OVER (ORDER BY number) - octet_length(body) AS start,
           sum(octet_length(body)) OVER (ORDER BY number) AS stop
    FROM import_parts WHERE organization_id = $1 AND import_id = $2
)
SELECT substring(p.body FROM (greatest($3, start) - start + 1)::int
                        FOR (least($3 + $4, stop) - greatest($3, start))::int) AS bytes
FROM placed JOIN import_parts p ON p.organization_id = $1 AND p.import_id = $2 AND p.number = placed.number
WHERE start < $3 + $4 AND stop > $3 ORDER BY placed.number"""

DROP_ERRORS: Final = "DELETE FROM import_errors WHERE organization_id = $1 AND import_id = $2"
ADD_ERRORS: Final = """
INSERT INTO import_errors (organization_id, import_id, row_number, place, field, detail)
SELECT $1, $2, * FROM unnest($3::int[], $4::int[], $5::text[], $6::text[])"""
ERRORS: Final = "SELECT row_number, place, field, detail FROM import_errors"

_RECORDS: Final = """jsonb_to_recordset($2::jsonb) AS t (
    id uuid, name text, search_name text, email text, phone text, language text, tags jsonb, custom_fields jsonb)"""
ADD_CONTACTS: Final = f"""
INSERT INTO contacts (organization_id, id, name, search_name, email, phone, language, tags, custom_fields, source)
SELECT $1, id, name, search_name, email, phone, language, array(SELECT jsonb_array_elements_text(tags)), custom_fields,
       'import'
FROM {_RECORDS}"""  # noqa: S608
SAVE_CONTACTS: Final = f"""
UPDATE contacts c SET sequence = c.sequence + 1, updated_at = now(), name = t.name, search_name = t.search_name,
    email = t.email, phone = t.phone, language = t.language,
    tags = array(SELECT jsonb_array_elements_text(t.tags)), custom_fields = t.custom_fields
FROM {_RECORDS} WHERE c.organization_id = $1 AND c.id = t.id RETURNING c.id, c.sequence"""  # noqa: S608


async def add(tx: Transaction, org: UUID, import_id: UUID, name: str, user_id: UUID) -> Import:
    """Begin one, without a file."""
    return _import(await tx.fetchrow(INSERT, org, import_id, name, user_id))


async def read(tx: Transaction, org: UUID, import_id: UUID, *, lock: bool = False) -> Import | None:
    """One, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, import_id)
    return None if row is None else _import(row)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Import]:
    """All in this order, those after the one with the key `after`."""
    return [_import(row) for row in await order.read(tx, LIST, Where(org), after, limit)]


async def delete(tx: Transaction, org: UUID, import_id: UUID) -> None:
    """Remove it, its file and its errors; what it wrote stays."""
    await tx.execute(DELETE, org, import_id)


async def begin(
    tx: Transaction, org: UUID, import_id: UUID, *, dry_run: bool, plan: Mapping[str, Any], position: int
) -> Import:
    """Read it from its beginning."""
    await tx.execute(DROP_ERRORS, org, import_id)
    return _import(await tx.fetchrow(BEGIN, org, import_id, dry_run, dict(plan), position))


async def advance(
    tx: Transaction, org: UUID, before: Import, position: int, rows: int, tally: tuple[int, int, int]
) -> Import:
    """Some more of it was read: `tally` is created, updated, failed."""
    return _import(await tx.fetchrow(ADVANCE, org, before.id, position, rows, *tally))


async def end(tx: Transaction, org: UUID, import_id: UUID, state: str, reason: str | None) -> Import:
    """It came to its end; the file of one that is done is not needed any more."""
    if state == "done":
        await tx.execute(DROP_PARTS, org, import_id)
    return _import(await tx.fetchrow(END, org, import_id, state, reason))


async def put_part(tx: Transaction, org: UUID, import_id: UUID, number: int, body: bytes) -> Row:
    """Keep a part, also in the place of an earlier one: what there is then."""
    await tx.execute(PUT_PART, org, import_id, number, body)
    return await parts(tx, org, import_id)


async def parts(tx: Transaction, org: UUID, import_id: UUID) -> Row:
    """`parts`, `last` number, `bytes`."""
    row = await tx.fetchrow(PARTS, org, import_id)
    assert row is not None
    return row


async def read_bytes(tx: Transaction, org: UUID, import_id: UUID, position: int, length: int) -> bytes:
    """A piece of the file; shorter where it ends."""
    rows = await tx.fetch(READ_BYTES, org, import_id, position, length)
    return b"".join(row["bytes"] for row in rows)


async def add_errors(tx: Transaction, org: UUID, import_id: UUID, mistakes: Sequence[Mistake]) -> None:
    """Keep what is wrong with rows."""
    await tx.execute(
        ADD_ERRORS,
        org,
        import_id,
        [each.row for each in mistakes],
        list(range(len(mistakes))),
        [each.field for each in mistakes],
        [each.detail for each in mistakes],
    )


async def errors(
    tx: Transaction, org: UUID, import_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """What is wrong, row by row in this order, after what has the key `after`."""
    where = Where(org).equal({"import_id": import_id})
    return await order.read(tx, ERRORS, where, after, limit)


async def add_contacts(tx: Transaction, org: UUID, contacts: Iterable[Contact]) -> None:
    """Write new contacts, by one statement."""
    await tx.execute(ADD_CONTACTS, org, _records(contacts))


async def save_contacts(tx: Transaction, org: UUID, contacts: Iterable[Contact]) -> dict[UUID, int]:
    """Write contacts that the transaction holds, by one statement: their sequences."""
    return {row["id"]: row["sequence"] for row in await tx.fetch(SAVE_CONTACTS, org, _records(contacts))}


def _records(contacts: Iterable[Contact]) -> list[dict[str, Any]]:
    names = ("id", "name", "email", "phone", "language", "tags", "custom_fields")
    records: list[dict[str, Any]] = msgspec.to_builtins(
        [
            {**{name: getattr(each, name) for name in names}, "search_name": folded(each.name or "")}
            for each in contacts
        ]
    )
    return records


def _import(row: Row | None) -> Import:
    assert row is not None
    values: dict[str, Any] = dict(row)
    return Import(**values)
