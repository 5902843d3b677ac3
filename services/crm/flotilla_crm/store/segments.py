"""Segments, and who is in them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.conditions import Condition
from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.segments import Passage, Segment
from flotilla_crm.store.conditions import FROM, Compiler
from flotilla_crm.store.contacts import CONTACT_COLUMNS

COLUMNS: Final = "id, sequence, name, state, condition, created_at, updated_at"
_CONTACT: Final = ", ".join(f"c.{column.strip()}" for column in CONTACT_COLUMNS.split(","))

INSERT: Final = f"""
INSERT INTO segments (organization_id, id, name, condition) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE segments SET sequence = sequence + 1, updated_at = now(), name = $3, state = $4, condition = $5
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608
READ: Final = f"""
SELECT {COLUMNS} FROM segments WHERE organization_id = $1 AND id = $2 AND state = 'active'"""  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM segments"  # noqa: S608
ALL: Final = f"SELECT {COLUMNS} FROM segments WHERE organization_id = $1 ORDER BY id"  # noqa: S608
DROP: Final = "DELETE FROM segments WHERE organization_id = $1 AND id = $2"
COUNT: Final = "SELECT count(*) FROM segments WHERE organization_id = $1 AND state = 'active'"

# The one who looks holds the organization: what was evaluated earlier is never written later.
HOLD: Final = "SELECT pg_advisory_xact_lock(hashtextextended('segments ' || $1::uuid::text, 0))"
FILL: Final = """
INSERT INTO segment_fills (organization_id, segment_id, after) VALUES ($1, $2, '00000000-0000-0000-0000-000000000000')
ON CONFLICT (organization_id, segment_id) DO UPDATE SET after = excluded.after"""
FILLING: Final = """
SELECT segment_id, after FROM segment_fills WHERE organization_id = $1 ORDER BY segment_id LIMIT 1 FOR UPDATE"""
FILLED_TO: Final = "UPDATE segment_fills SET after = $3 WHERE organization_id = $1 AND segment_id = $2"
FILLED: Final = "DELETE FROM segment_fills WHERE organization_id = $1 AND segment_id = $2"
WAITING: Final = """
SELECT organization_id FROM segment_checks GROUP BY organization_id
UNION SELECT organization_id FROM segment_fills LIMIT $1"""
TAKE_CHECKS: Final = """
WITH taken AS (
    DELETE FROM segment_checks WHERE organization_id = $1 AND position IN (
        SELECT position FROM segment_checks WHERE organization_id = $1 ORDER BY position LIMIT $2 FOR UPDATE)
    RETURNING contact_id
)
SELECT DISTINCT contact_id FROM taken"""
NEXT_CONTACTS: Final = "SELECT id FROM contacts WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3"
NEXT_MEMBERS: Final = """
SELECT contact_id AS id FROM segment_members WHERE organization_id = $1 AND contact_id > $2 AND segment_id = $4
    AND inside ORDER BY contact_id LIMIT $3"""

SET_INSIDE: Final = """
WITH fits AS (
    SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS t (id, segment, contact)
), entered AS (
    INSERT INTO segment_members (organization_id, id, segment_id, contact_id)
    SELECT $1, id, segment, contact FROM fits ORDER BY segment, contact
    ON CONFLICT (organization_id, segment_id, contact_id) DO UPDATE
    SET sequence = segment_members.sequence + 1, inside = true, changed_at = now() WHERE NOT segment_members.inside
    RETURNING *
), gone AS (
    UPDATE segment_members m SET sequence = sequence + 1, inside = false, changed_at = now()
    WHERE m.organization_id = $1 AND m.inside AND m.segment_id = ANY ($5::uuid[]) AND m.contact_id = ANY ($6::uuid[])
      AND NOT EXISTS (SELECT FROM fits f WHERE f.segment = m.segment_id AND f.contact = m.contact_id)
    RETURNING *
)
SELECT id, sequence, segment_id, contact_id, inside, changed_at FROM entered
UNION ALL SELECT id, sequence, segment_id, contact_id, inside, changed_at FROM gone"""

MEMBERS: Final = f"""
SELECT {_CONTACT} FROM segment_members m
JOIN contacts c ON c.organization_id = m.organization_id AND c.id = m.contact_id"""  # noqa: S608
SIZE: Final = """
SELECT count(*) AS members, EXISTS (SELECT FROM segment_fills WHERE organization_id = $1 AND segment_id = $2) AS filling
FROM segment_members WHERE organization_id = $1 AND segment_id = $2 AND inside"""


async def add(tx: Transaction, org: UUID, segment: Segment) -> Segment:
    """Write a new one; everybody is looked at."""
    row = await tx.fetchrow(INSERT, org, segment.id, segment.name, segment.condition)
    await tx.execute(FILL, org, segment.id)
    return _segment(row)


async def save(tx: Transaction, org: UUID, segment: Segment, *, fill: bool) -> Segment:
    """Write a changed one; with `fill` everybody is looked at again."""
    row = await tx.fetchrow(UPDATE, org, segment.id, segment.name, segment.state, segment.condition)
    if fill:
        await tx.execute(FILL, org, segment.id)
    return _segment(row)


async def read(tx: Transaction, org: UUID, segment_id: UUID, *, lock: bool = False) -> Segment | None:
    """One that is not deleted, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, segment_id)
    return None if row is None else _segment(row)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Segment]:
    """All in this order, those after the one with the key `after`."""
    where = Where(org).also("state = 'active'")
    return [_segment(row) for row in await order.read(tx, LIST, where, after, limit)]


async def count(tx: Transaction, org: UUID) -> int:
    """How many there are."""
    found: int = await tx.fetchval(COUNT, org)
    return found


async def size(tx: Transaction, org: UUID, segment_id: UUID) -> Row:
    """`members`: how many are in it; `filling`: whether some have not been looked at yet."""
    row = await tx.fetchrow(SIZE, org, segment_id)
    assert row is not None
    return row


async def members(
    tx: Transaction, org: UUID, segment_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Contact]:
    """Who is in it, in this order of `m.contact_id`, after the one with the key `after`."""
    where = Where(org, table="m").equal({"segment_id": segment_id}).also("m.inside")
    return [Contact(**row) for row in await order.read(tx, MEMBERS, where, after, limit)]


async def everybody(tx: Transaction, org: UUID) -> dict[UUID, Segment]:
    """All segments by id, deleted ones too as long as somebody has to leave them; the organization is held."""
    await tx.execute(HOLD, org)
    return {row["id"]: _segment(row) for row in await tx.fetch(ALL, org)}


async def fitting(
    tx: Transaction, org: UUID, contacts: Sequence[UUID], conditions: Mapping[UUID, Condition]
) -> list[tuple[UUID, UUID]]:
    """Which of these contacts fit which of the conditions: (segment, contact), by one statement."""
    if not contacts or not conditions:
        return []
    compiler = Compiler(org, list(contacts))
    arms = []
    for segment_id, condition in conditions.items():
        compiler.args.append(segment_id)
        place = len(compiler.args)
        arms.append(
            f"SELECT ${place}::uuid AS segment, c.id FROM {FROM}"  # noqa: S608
            f" WHERE c.organization_id = $1 AND c.id = ANY ($2::uuid[]) AND {compiler.sql(condition)}"
        )
    rows = await tx.fetch(" UNION ALL ".join(arms), *compiler.args)
    return [(row["segment"], row["id"]) for row in rows]


async def matching(tx: Transaction, org: UUID, condition: Condition, limit: int) -> int:
    """How many contacts fit a condition, counted up to `limit`."""
    compiler = Compiler(org, limit)
    sql = f"""SELECT count(*) FROM (SELECT FROM {FROM} WHERE c.organization_id = $1 AND {compiler.sql(condition)}
              LIMIT $2) AS found"""  # noqa: S608
    found: int = await tx.fetchval(sql, *compiler.args)
    return found


async def pass_through(
    tx: Transaction,
    org: UUID,
    segments: Sequence[UUID],
    contacts: Sequence[UUID],
    fits: Sequence[tuple[UUID, UUID]],
) -> list[Passage]:
    """Of these contacts those of `fits` are in these segments, the others are not: who entered and who left."""
    ids = [tx.app.new_id() for _ in fits]
    inside, whose = [segment for segment, _ in fits], [contact for _, contact in fits]
    rows = await tx.fetch(SET_INSIDE, org, ids, inside, whose, list(segments), list(contacts))
    return [Passage(**row) for row in rows]


async def take_checks(tx: Transaction, org: UUID, limit: int) -> list[UUID]:
    """Contacts of which something changed; they are looked at now."""
    return [row["contact_id"] for row in await tx.fetch(TAKE_CHECKS, org, limit)]


async def filling(tx: Transaction, org: UUID) -> Row | None:
    """A segment that is being filled, held until the commit, and how far it is."""
    return await tx.fetchrow(FILLING, org)


async def next_to_fill(tx: Transaction, org: UUID, segment: Segment, after: UUID, limit: int) -> list[UUID]:
    """Whom to look at next; of a deleted segment those who are in it."""
    if segment.state == "deleted":
        rows = await tx.fetch(NEXT_MEMBERS, org, after, limit, segment.id)
    else:
        rows = await tx.fetch(NEXT_CONTACTS, org, after, limit)
    return [row["id"] for row in rows]


async def filled_to(tx: Transaction, org: UUID, segment: Segment, last: UUID | None) -> None:
    """Remember how far it is; None: everybody was looked at, and a deleted segment goes."""
    if last is not None:
        await tx.execute(FILLED_TO, org, segment.id, last)
        return
    await tx.execute(FILLED, org, segment.id)
    if segment.state == "deleted":
        await tx.execute(DROP, org, segment.id)


def _segment(row: Row | None) -> Segment:
    assert row is not None
    values: dict[str, Any] = dict(row)
    return Segment(**values)
