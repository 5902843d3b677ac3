"""Rows of calendar events that were asked for, and of what is in calendars."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.integrations import CalendarEventRequested
from flotilla.store.postgres import Row, Transaction

OF_USERS: Final = """
SELECT id FROM accounts WHERE organization_id = $1 AND user_id = ANY($2::uuid[]) ORDER BY id"""

ACCOUNTS: Final = """
SELECT a.organization_id, a.id, a.connector, a.state FROM accounts a
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON a.organization_id = t.org AND a.id = t.id"""

ADD: Final = """
INSERT INTO calendar_events (organization_id, id, booking_id, account_id, title, description, starts_at, ends_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[])
ON CONFLICT DO NOTHING"""

READ: Final = "SELECT * FROM calendar_events WHERE organization_id = $1 AND id = $2"
LOCK: Final = READ + " FOR UPDATE"
LOCK_ALL: Final = """
SELECT e.* FROM calendar_events e
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON e.organization_id = t.org AND e.id = t.id
ORDER BY e.organization_id, e.id FOR UPDATE OF e"""

WANT_GONE: Final = """
UPDATE calendar_events e SET delete_request_id = t.request, delete_reason = t.reason,
    state = CASE WHEN e.state IN ('writing', 'standing') THEN 'deleting' ELSE e.state END
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS t (org, id, request, reason)
WHERE e.organization_id = t.org AND e.id = t.id"""

STANDS: Final = """
UPDATE calendar_events SET state = $3, told = told OR $4, external_id = coalesce($5, external_id), title = NULL,
    description = NULL, sequence = sequence + 1,
    delete_request_id = CASE WHEN $3 = 'deleting' THEN delete_request_id END
WHERE organization_id = $1 AND id = $2 RETURNING *"""

POSITION: Final = """
SELECT token FROM calendar_syncs WHERE organization_id = $1 AND account_id = $2 AND collection = $3"""
SAVE_POSITION: Final = """
INSERT INTO calendar_syncs (organization_id, account_id, collection, token) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, account_id) DO UPDATE
SET collection = excluded.collection, token = excluded.token, synced_at = now()"""
KNOWN: Final = """
SELECT external_id, etag FROM calendar_items WHERE organization_id = $1 AND account_id = $2 AND present"""
BEFORE: Final = """
SELECT * FROM calendar_items WHERE organization_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE"""
OURS: Final = """
SELECT * FROM calendar_events WHERE organization_id = $1 AND account_id = $2 AND id = ANY ($3::uuid[])"""

KEEP: Final = """
INSERT INTO calendar_items AS i (organization_id, id, account_id, external_id, etag, starts_at, ends_at, all_day,
                                 recurring, busy, status, present)
SELECT $1, id, $2, external, etag, starts, ends, all_day, recurring, busy, status, present
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::boolean[], $9::boolean[],
            $10::boolean[], $11::text[], $12::boolean[])
     AS t (id, external, etag, starts, ends, all_day, recurring, busy, status, present)
ORDER BY id
ON CONFLICT (organization_id, id) DO UPDATE
SET etag = excluded.etag, starts_at = excluded.starts_at, ends_at = excluded.ends_at, all_day = excluded.all_day,
    recurring = excluded.recurring, busy = excluded.busy, status = excluded.status, present = excluded.present,
    sequence = i.sequence + 1
RETURNING id, sequence"""

COLUMNS: Final = (
    "external_id",
    "etag",
    "starts_at",
    "ends_at",
    "all_day",
    "recurring",
    "busy",
    "status",
    "present",
)


async def accounts_of(
    tx: Transaction, events: Sequence[Received[CalendarEventRequested]]
) -> dict[tuple[UUID, UUID], Row]:
    """The accounts that wishes name, by (organization, account)."""
    orgs, ids = [event.org for event in events], [event.data.account_id for event in events]
    rows = await tx.fetch(ACCOUNTS, orgs, ids)
    return {(row["organization_id"], row["id"]): row for row in rows}


async def add(tx: Transaction, wanted: Sequence[tuple[Received[CalendarEventRequested], str, str]]) -> None:
    """Events to be written: (wish, title, description)."""
    await tx.execute(
        ADD,
        [event.org for event, _, _ in wanted],
        [event.data.request_id for event, _, _ in wanted],
        [event.data.booking_id for event, _, _ in wanted],
        [event.data.account_id for event, _, _ in wanted],
        [title for _, title, _ in wanted],
        [description for _, _, description in wanted],
        [event.data.starts_at for event, _, _ in wanted],
        [event.data.ends_at for event, _, _ in wanted],
    )


async def keep(
    tx: Transaction, org: UUID, account_id: UUID, items: Mapping[UUID, Mapping[str, Any]]
) -> dict[UUID, int]:
    """Write what items are now, by id: their new sequences."""
    columns = [[item[name] for item in items.values()] for name in COLUMNS]
    rows = await tx.fetch(KEEP, org, account_id, list(items), *columns)
    return {row["id"]: row["sequence"] for row in rows}
