"""Notifications, and who may be told something."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_websocket.domain.notifications import Choice

Key = tuple[UUID, UUID]
"""Organization, and notification or person."""

KEEP_MEMBERS: Final = """
INSERT INTO members (organization_id, id, state, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE SET state = excluded.state, sequence = excluded.sequence
WHERE members.sequence < excluded.sequence"""

KNOWN: Final = """
SELECT m.organization_id, m.id, m.state, coalesce(p.choices, '[]') AS choices
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN members m ON m.organization_id = t.org AND m.id = t.id
LEFT JOIN notification_preferences p ON p.organization_id = t.org AND p.id = t.id"""

ADD: Final = """
INSERT INTO notifications (organization_id, id, user_id, kind, title, text, link, params, state, reason)
SELECT organization_id, id, user_id, kind, title, text, link, params, state, reason
FROM jsonb_to_recordset($1::jsonb) AS t (organization_id uuid, id uuid, user_id uuid, kind text, title text, text text,
    link text, params jsonb, state text, reason text)
ORDER BY organization_id, id
ON CONFLICT (organization_id, id) DO NOTHING RETURNING organization_id, id, created_at"""

AWAITING: Final = """
SELECT id, user_id, kind, title, text, link, params, sequence FROM notifications
WHERE organization_id = $1 AND id = $2 AND state = 'awaiting' FOR UPDATE"""

# What nobody will read is not kept.
SETTLE: Final = """
UPDATE notifications SET state = CASE WHEN $3::text IS NULL THEN 'delivered' ELSE 'failed' END, reason = $3,
    title = CASE WHEN $3 IS NULL THEN title END, text = CASE WHEN $3 IS NULL THEN text END,
    params = CASE WHEN $3 IS NULL THEN params END, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING sequence"""

LIST: Final = "SELECT * FROM notifications"
DELIVERED: Final = "state = 'delivered'"
UNREAD: Final = "read_at IS NULL"

COUNT: Final = """
SELECT count(*) FROM (SELECT FROM notifications WHERE organization_id = $1 AND user_id = $2 AND state = 'delivered'
                      AND read_at IS NULL LIMIT $3) AS counted"""

ONE: Final = """
SELECT * FROM notifications
WHERE organization_id = $1 AND user_id = $2 AND id = $3 AND state = 'delivered' FOR UPDATE"""

# Locked in one order: two browsers of one person may say it at once.
READ: Final = """
WITH unread AS (
    SELECT id FROM notifications
    WHERE organization_id = $1 AND user_id = $2 AND state = 'delivered' AND read_at IS NULL
      AND ($3::uuid IS NULL OR id = $3) AND created_at <= $4
    ORDER BY created_at DESC, id DESC LIMIT $5 FOR UPDATE
)
UPDATE notifications n SET read_at = now(), sequence = sequence + 1 FROM unread
WHERE n.organization_id = $1 AND n.id = unread.id RETURNING n.id, n.kind, n.read_at, n.sequence"""

EXPIRE: Final = """
WITH old AS (
    SELECT id FROM notifications WHERE organization_id = $1 AND created_at < $2 ORDER BY created_at LIMIT $3
)
DELETE FROM notifications n USING old WHERE n.organization_id = $1 AND n.id = old.id"""

NOW: Final = "SELECT now()"

PREFERENCES: Final = """
SELECT choices, sequence FROM notification_preferences WHERE organization_id = $1 AND id = $2"""

PREFER: Final = """
INSERT INTO notification_preferences (organization_id, id, choices) VALUES ($1, $2, $3)
ON CONFLICT (organization_id, id) DO UPDATE
SET choices = excluded.choices, sequence = notification_preferences.sequence + 1
RETURNING choices, sequence"""

COUNTED: Final = 1000
"""More are not counted: nobody reads on from there."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may be told something."""

    state: str
    choices: list[Choice]


async def known(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Member]:
    """The members among these (organization, person), and what they want to be told."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(KNOWN, [org for org, _ in wanted], [id_ for _, id_ in wanted])
    return {
        (row["organization_id"], row["id"]): Member(
            row["state"], msgspec.convert(row["choices"], list[Choice])
        )
        for row in rows
    }


async def add(tx: Transaction, rows: Sequence[dict[str, Any]]) -> dict[Key, datetime]:
    """Write those that were not asked for before: their keys, and when that was."""
    added = await tx.fetch(ADD, msgspec.to_builtins(rows))
    return {(row["organization_id"], row["id"]): row["created_at"] for row in added}


async def listing(
    tx: Transaction,
    org: UUID,
    user_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
    *,
    unread: bool,
) -> list[Row]:
    """`limit` of a person's in this order, after the one with the key `after`."""
    where = Where(org).equal({"user_id": user_id}).also(DELIVERED)
    if unread:
        where.also(UNREAD)
    return await order.read(tx, LIST, where, after, limit)


async def unread(tx: Transaction, org: UUID, user_id: UUID) -> int:
    """How many a person has not read; at most `COUNTED`."""
    count: int = await tx.fetchval(COUNT, org, user_id, COUNTED)
    return count


async def one(tx: Transaction, org: UUID, user_id: UUID, notification_id: UUID) -> Row | None:
    """One of a person's own, held until the commit."""
    return await tx.fetchrow(ONE, org, user_id, notification_id)


async def read(
    tx: Transaction, org: UUID, user_id: UUID, only: UUID | None, until: datetime, limit: int
) -> list[Row]:
    """Mark as read what came until then, the newest first, or only one: those that were not read before."""
    return await tx.fetch(READ, org, user_id, only, until, limit)


async def preferences(
    tx: Transaction, org: UUID, user_id: UUID, *, lock: bool = False
) -> tuple[list[Choice], int]:
    """What a person chose, and the version; nothing at 0 where they never chose. With `lock`, held until the commit."""
    row = await tx.fetchrow(PREFERENCES + " FOR UPDATE" * lock, org, user_id)
    return (msgspec.convert(row["choices"], list[Choice]), row["sequence"]) if row else ([], 0)


async def prefer(tx: Transaction, org: UUID, user_id: UUID, choices: Sequence[Choice]) -> int:
    """Keep what a person chose: the version."""
    row = await tx.fetchrow(PREFER, org, user_id, msgspec.to_builtins(choices))
    assert row is not None
    version: int = row["sequence"]
    return version
