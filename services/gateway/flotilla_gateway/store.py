"""The gateway's SQL. All its tables are look-ups of ids and states (migrations/0001_trust.sql)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events.auth import PublicKey
from flotilla.store.postgres import Database, Transaction

KEEP_KEYS: Final = """
INSERT INTO key_sets AS kept (key_set_id, sequence, keys)
SELECT id, sequence, keys::jsonb FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS t (id, sequence, keys)
ON CONFLICT (key_set_id) DO UPDATE SET sequence = excluded.sequence, keys = excluded.keys
WHERE kept.sequence < excluded.sequence"""

KEEP_ENDED: Final = """
INSERT INTO ended_sessions (session_id, ended_at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
ON CONFLICT (session_id) DO NOTHING"""

KEEP_ORGANIZATIONS: Final = """
INSERT INTO organization_states AS kept (organization_id, sequence, state)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])
ON CONFLICT (organization_id) DO UPDATE SET sequence = excluded.sequence, state = excluded.state
WHERE kept.sequence < excluded.sequence"""

KEEP_MEMBERSHIPS: Final = """
INSERT INTO memberships AS kept (organization_id, user_id, sequence, role, state)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[])
ON CONFLICT (organization_id, user_id) DO UPDATE
SET sequence = excluded.sequence, role = excluded.role, state = excluded.state, noted_at = now()
WHERE kept.sequence < excluded.sequence"""

READ_KEYS: Final = "SELECT keys FROM key_sets"
READ_SUSPENDED: Final = "SELECT organization_id FROM organization_states WHERE state = 'suspended'"
READ_ENDED: Final = "SELECT session_id FROM ended_sessions WHERE noted_at > now() - $1::interval"
READ_CHANGED: Final = """
SELECT organization_id, user_id, role, state FROM memberships WHERE noted_at > now() - $1::interval"""
FORGET_ENDED: Final = "DELETE FROM ended_sessions WHERE noted_at < now() - $1::interval"


async def keep_keys(tx: Transaction, sets: Sequence[tuple[UUID, int, list[PublicKey]]]) -> None:
    """Newer sets of signing keys replace older ones."""
    ids, sequences, keys = zip(*sets, strict=True)
    # As text: a list of lists would be taken for an array of two dimensions.
    encoded = [msgspec.json.encode(each).decode() for each in keys]
    await tx.execute(KEEP_KEYS, list(ids), list(sequences), encoded)


async def keep_ended(tx: Transaction, ended: Sequence[tuple[UUID, datetime]]) -> None:
    """Sessions that are over."""
    await tx.execute(KEEP_ENDED, *_columns(ended))


async def keep_organizations(tx: Transaction, states: Sequence[tuple[UUID, int, str]]) -> None:
    """Newer states of organizations."""
    await tx.execute(KEEP_ORGANIZATIONS, *_columns(states))


async def keep_memberships(tx: Transaction, members: Sequence[tuple[UUID, UUID, int, str, str]]) -> None:
    """Newer roles and states of people in organizations."""
    await tx.execute(KEEP_MEMBERSHIPS, *_columns(members))


async def read_keys(db: Database) -> list[PublicKey]:
    """All signing keys whose tokens may still be about."""
    rows = await db.fetch(READ_KEYS)
    return [key for row in rows for key in msgspec.convert(row["keys"], list[PublicKey])]


async def read_suspended(db: Database) -> set[UUID]:
    """Organizations that may do nothing."""
    return {row["organization_id"] for row in await db.fetch(READ_SUSPENDED)}


async def read_ended(db: Database, within: timedelta) -> set[UUID]:
    """Sessions that ended lately."""
    return {row["session_id"] for row in await db.fetch(READ_ENDED, within)}


async def read_changed(db: Database, within: timedelta) -> dict[tuple[UUID, UUID], tuple[str, str]]:
    """Role and state, by (organization, user), of people for whom they changed lately."""
    rows = await db.fetch(READ_CHANGED, within)
    return {(row["organization_id"], row["user_id"]): (row["role"], row["state"]) for row in rows}


async def forget_ended(db: Database, older: timedelta) -> None:
    """Drop sessions of which no token is good any more."""
    await db.execute(FORGET_ENDED, older)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
