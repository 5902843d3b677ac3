"""Sequences and their versions."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_campaign.domain.sequences import Plan, SequenceDraft, SequenceState, read_steps

COLUMNS: Final = "id, sequence, name, state, steps, stop_on_reply, version, created_at, updated_at"

# One at a time makes sequences: the count is of those that others have committed.
LOCK_ORGANIZATION: Final = "SELECT pg_advisory_xact_lock(hashtextextended('sequences ' || $1::uuid::text, 0))"
COUNT: Final = "SELECT count(*) FROM sequences WHERE organization_id = $1 AND state = 'active'"
INSERT: Final = f"""
INSERT INTO sequences (organization_id, id, name, steps, stop_on_reply) VALUES ($1, $2, $3, $4, $5)
RETURNING {COLUMNS}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE sequences SET sequence = sequence + 1, updated_at = now(), name = $3, state = $4, steps = $5,
                     stop_on_reply = $6, version = $7
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608
INSERT_VERSION: Final = """
INSERT INTO sequence_versions (organization_id, sequence_id, version, steps, stop_on_reply)
VALUES ($1, $2, $3, $4, $5)"""
LOCK: Final = "SELECT id FROM sequences WHERE organization_id = $1 AND id = $2 FOR UPDATE"
READ: Final = f"SELECT {COLUMNS} FROM sequences WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"""
SELECT {COLUMNS} FROM sequences WHERE organization_id = $1 AND state = 'active' AND id > $2
ORDER BY id LIMIT $3"""  # noqa: S608
PLAN: Final = """
SELECT steps, stop_on_reply FROM sequence_versions
WHERE organization_id = $1 AND sequence_id = $2 AND version = $3"""


async def count(tx: Transaction, org: UUID) -> int:
    """How many there are; others who make one wait until this transaction ends."""
    await tx.execute(LOCK_ORGANIZATION, org)
    return int(await tx.fetchval(COUNT, org))


async def add(tx: Transaction, org: UUID, draft: SequenceDraft) -> SequenceDraft:
    """Write a new one."""
    row = await tx.fetchrow(INSERT, org, draft.id, draft.name, draft.steps, draft.stop_on_reply)
    assert row is not None
    return _draft(row)


async def save(tx: Transaction, org: UUID, draft: SequenceDraft) -> SequenceDraft:
    """Write a changed one: the result has the next `sequence`."""
    values = (draft.name, draft.state, draft.steps, draft.stop_on_reply, draft.version)
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


async def listing(tx: Transaction, org: UUID, after: UUID, limit: int) -> list[SequenceDraft]:
    """The oldest first."""
    return [_draft(row) for row in await tx.fetch(LIST, org, after, limit)]


async def plan(tx: Transaction, org: UUID, id_: UUID, version: int) -> Plan:
    """What a version says."""
    row = await tx.fetchrow(PLAN, org, id_, version)
    assert row is not None
    return Plan(read_steps(row["steps"]), row["stop_on_reply"])


def _draft(row: Row) -> SequenceDraft:
    return SequenceDraft(**{**dict(row), "state": SequenceState(row["state"])})
