"""Sequences and their versions."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_campaign.domain.sequences import Plan, SequenceDraft, SequenceState, read_steps

COLUMNS: Final = """id, sequence, name, state, steps, stop_on_reply, version, segment_id, leaves_with_segment, is_bulk,
created_at, updated_at"""

# One at a time makes sequences: the count is of those that others have committed.
LOCK_ORGANIZATION: Final = "SELECT pg_advisory_xact_lock(hashtextextended('sequences ' || $1::uuid::text, 0))"
COUNT: Final = (
    "SELECT count(*) FROM sequences WHERE organization_id = $1 AND state = 'active' AND NOT is_bulk"
)
INSERT: Final = f"""
INSERT INTO sequences (organization_id, id, name, steps, stop_on_reply, segment_id, leaves_with_segment,
                       is_bulk)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING {COLUMNS}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE sequences SET sequence = sequence + 1, updated_at = now(), name = $3, state = $4, steps = $5,
                     stop_on_reply = $6, version = $7, segment_id = $8, leaves_with_segment = $9
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608
INSERT_VERSION: Final = """
INSERT INTO sequence_versions (organization_id, sequence_id, version, steps, stop_on_reply)
VALUES ($1, $2, $3, $4, $5)"""
LOCK: Final = "SELECT id FROM sequences WHERE organization_id = $1 AND id = $2 FOR UPDATE"
READ: Final = f"SELECT {COLUMNS} FROM sequences WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM sequences"  # noqa: S608
PLANS: Final = """
SELECT organization_id, sequence_id, version, steps, stop_on_reply FROM sequence_versions
WHERE (organization_id, sequence_id, version) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[]))"""

VERSIONS: Final = """
SELECT s.organization_id, s.id, s.version FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN sequences s ON s.organization_id = t.org AND s.id = t.id WHERE s.state = 'active'"""
ENTERED: Final = """
SELECT t.membership_id, s.organization_id, s.id AS sequence_id, m.contact_id
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, membership_id)
JOIN segment_members m ON m.organization_id = t.org AND m.id = t.membership_id AND m.inside
JOIN sequences s ON s.organization_id = m.organization_id AND s.segment_id = m.segment_id
 AND s.state = 'active' AND s.version > 0"""


Version = tuple[UUID, UUID, int]
"""(organization, sequence, version)."""


async def count(tx: Transaction, org: UUID) -> int:
    """How many there are; others who make one wait until this transaction ends."""
    await tx.execute(LOCK_ORGANIZATION, org)
    return int(await tx.fetchval(COUNT, org))


async def add(tx: Transaction, org: UUID, draft: SequenceDraft) -> SequenceDraft:
    """Write a new one."""
    names = ("name", "steps", "stop_on_reply", "segment_id", "leaves_with_segment", "is_bulk")
    values = [getattr(draft, name) for name in names]
    row = await tx.fetchrow(INSERT, org, draft.id, *values)
    assert row is not None
    return _draft(row)


async def save(tx: Transaction, org: UUID, draft: SequenceDraft) -> SequenceDraft:
    """Write a changed one: the result has the next `sequence`."""
    values = (
        draft.name,
        draft.state,
        draft.steps,
        draft.stop_on_reply,
        draft.version,
        draft.segment_id,
        draft.leaves_with_segment,
    )
    row = await tx.fetchrow(UPDATE, org, draft.id, *values)
    assert row is not None
    return _draft(row)


async def add_version(tx: Transaction, org: UUID, draft: SequenceDraft) -> None:
    """Keep what it says now as its version."""
    await tx.execute(INSERT_VERSION, org, draft.id, draft.version, draft.steps, draft.stop_on_reply)


async def read(tx: Transaction, org: UUID, id_: UUID, *, lock: bool = False) -> SequenceDraft | None:
    """One, deleted ones too; held until the commit with `lock`."""
    if lock:
        await tx.execute(LOCK, org, id_)
    row = await tx.fetchrow(READ, org, id_)
    return None if row is None else _draft(row)


async def versions(tx: Transaction, keys: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    """The newest versions of these (organization, sequence); 0 of one without, none of one that is not there."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(VERSIONS, [org for org, _ in wanted], [id_ for _, id_ in wanted])
    return {(row["organization_id"], row["id"]): row["version"] for row in rows}


async def entered(tx: Transaction, memberships: Sequence[tuple[UUID, UUID]]) -> list[Row]:
    """Published sequences that wait for who is in these segments, by (organization, membership)."""
    return await tx.fetch(ENTERED, [org for org, _ in memberships], [id_ for _, id_ in memberships])


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[SequenceDraft]:
    """Those of people's own making in this order, after the one with the key `after`."""
    where = Where(org).also("state = 'active'").also("NOT is_bulk")
    return [_draft(row) for row in await order.read(tx, LIST, where, after, limit)]


async def plan(tx: Transaction, org: UUID, id_: UUID, version: int) -> Plan:
    """What a version says."""
    return (await plans(tx, [(org, id_, version)]))[org, id_, version]


async def plans(tx: Transaction, keys: Iterable[Version]) -> dict[Version, Plan]:
    """What these versions say."""
    columns = [list(column) for column in zip(*set(keys), strict=True)]
    return {
        (row["organization_id"], row["sequence_id"], row["version"]): Plan(
            read_steps(row["steps"]), row["stop_on_reply"]
        )
        for row in await tx.fetch(PLANS, *columns)
    }


def _draft(row: Row) -> SequenceDraft:
    return SequenceDraft(**{**dict(row), "state": SequenceState(row["state"])})
