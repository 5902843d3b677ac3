"""People who can be booked, their calendars, and the time that is taken."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.integrations import Account
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.availability import Busy, Host, read_hours
from flotilla_crm.domain.bookings import Held
from flotilla_crm.domain.contacts import ASSIGNABLE_ROLES

LONGEST: Final = timedelta(days=1)
"""No hold is longer."""
COLUMNS: Final = (
    "h.id, h.sequence, h.time_zone, h.hours, h.length_minutes, h.buffer_minutes, h.notice_minutes, h.active"
)

SAVE: Final = f"""
INSERT INTO booking_hosts AS h (organization_id, id, time_zone, hours, length_minutes, buffer_minutes, notice_minutes,
                                active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = h.sequence + 1, updated_at = now(), time_zone = excluded.time_zone, hours = excluded.hours,
    length_minutes = excluded.length_minutes, buffer_minutes = excluded.buffer_minutes,
    notice_minutes = excluded.notice_minutes, active = excluded.active
RETURNING {COLUMNS}"""  # noqa: S608

READ: Final = f"SELECT {COLUMNS} FROM booking_hosts h WHERE h.organization_id = $1 AND h.id = $2"  # noqa: S608

LIST: Final = f"SELECT {COLUMNS} FROM booking_hosts h"  # noqa: S608

# All of the named organizations; who left or may no longer take work cannot be booked.
BOOKABLE: Final = f"""
SELECT h.organization_id, {COLUMNS}, latest.created_at AS last_booked_at
FROM booking_hosts h
JOIN users u ON u.organization_id = h.organization_id AND u.id = h.id AND u.active AND u.role = ANY ($2)
LEFT JOIN LATERAL (
    SELECT b.created_at FROM bookings b
    WHERE b.organization_id = h.organization_id AND b.host_id = h.id ORDER BY b.created_at DESC LIMIT 1) latest ON true
WHERE h.organization_id = ANY ($1::uuid[]) AND h.active"""  # noqa: S608

BUSY: Final = """
SELECT t.place, k.host_id, k.starts_at, upper(k.during) AS until
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS t (org, begins, ends, place)
JOIN booking_holds k ON k.organization_id = t.org AND k.starts_at > t.begins AND k.starts_at < t.ends
ORDER BY t.place, k.host_id, k.starts_at"""

# The constraint decides, whatever others do at this moment: who is second waits for the first, and has nothing.
CLAIM: Final = """
INSERT INTO booking_holds (organization_id, id, booking_id, host_id, starts_at, ends_at, during)
SELECT org, id, booking, host, starts, ends, tstzrange(starts, until)
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])
     AS t (org, id, booking, host, starts, ends, until)
ORDER BY org, host, starts
ON CONFLICT DO NOTHING RETURNING id"""

READ_HOLD: Final = (
    "SELECT host_id, starts_at, ends_at FROM booking_holds WHERE organization_id = $1 AND id = $2"
)
RELEASE: Final = "DELETE FROM booking_holds WHERE organization_id = $1 AND id = ANY ($2::uuid[])"

KEEP_CALENDARS: Final = """
INSERT INTO calendars (organization_id, id, sequence, user_id, connected)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::boolean[])
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = excluded.sequence, user_id = excluded.user_id, connected = excluded.connected
WHERE calendars.sequence < excluded.sequence"""

CALENDARS: Final = """
SELECT DISTINCT ON (c.organization_id, c.user_id) c.organization_id, c.user_id, c.id FROM calendars c
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, host) ON c.organization_id = t.org AND c.user_id = t.host
WHERE c.connected ORDER BY c.organization_id, c.user_id, c.id DESC"""


async def save(tx: Transaction, org: UUID, host: Host) -> Host:
    """Write when somebody can be booked; the result has the next sequence."""
    row = await tx.fetchrow(
        SAVE,
        org,
        host.id,
        host.time_zone,
        [asdict(window) for window in host.hours],
        host.length_minutes,
        host.buffer_minutes,
        host.notice_minutes,
        host.active,
    )
    assert row is not None
    return _host(row)


async def read(tx: Transaction, org: UUID, host_id: UUID, *, lock: bool = False) -> Host | None:
    """One host, bookable or not, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, host_id)
    return None if row is None else _host(row)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Host]:
    """Hosts in this order, those after the one with the key `after`."""
    return [_host(row) for row in await order.read(tx, LIST, Where(org), after, limit)]


async def bookable(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, dict[UUID, Host]]:
    """Who can be booked now: organization → id → host."""
    found: dict[UUID, dict[UUID, Host]] = defaultdict(dict)
    for row in await tx.fetch(BOOKABLE, sorted(set(orgs)), ASSIGNABLE_ROLES):
        found[row["organization_id"]][row["id"]] = _host(row)
    return found


async def busy(
    tx: Transaction, windows: Sequence[tuple[UUID, datetime, datetime]]
) -> list[dict[UUID, list[Busy]]]:
    """What may reach into each (organization, begin, end): host → from, until, in their order."""
    found: list[dict[UUID, list[Busy]]] = [defaultdict(list) for _ in windows]
    rows = await tx.fetch(
        BUSY,
        [org for org, _, _ in windows],
        [begin - LONGEST for _, begin, _ in windows],
        [end + LONGEST for _, _, end in windows],
    )
    for row in rows:
        found[row["place"] - 1][row["host_id"]].append((row["starts_at"], row["until"]))
    return found


async def claim(tx: Transaction, wanted: Sequence[Held]) -> set[UUID]:
    """Keep these slots, those of them that nobody has: the ids of the holds."""
    rows = await tx.fetch(
        CLAIM,
        [each.asked.org for each in wanted],
        [each.hold_id for each in wanted],
        [each.asked.booking_id for each in wanted],
        [each.host.id for each in wanted],
        [each.asked.starts_at for each in wanted],
        [each.ends_at for each in wanted],
        [each.asked.starts_at + each.host.taken for each in wanted],
    )
    return {row["id"] for row in rows}


async def read_hold(tx: Transaction, org: UUID, hold_id: UUID) -> Row:
    """Whose time it keeps, and which; it is there."""
    row = await tx.fetchrow(READ_HOLD, org, hold_id)
    assert row is not None
    return row


async def release(tx: Transaction, org: UUID, hold_ids: Sequence[UUID]) -> None:
    """Give slots back."""
    await tx.execute(RELEASE, org, list(hold_ids))


async def keep_calendars(tx: Transaction, batch: Sequence[Received[Account]]) -> None:
    """Apply the states that are newer."""
    await tx.execute(
        KEEP_CALENDARS,
        [event.org for event in batch],
        [event.data.account_id for event in batch],
        [event.sequence for event in batch],
        [event.data.user_id for event in batch],
        [event.data.state == "connected" for event in batch],
    )


async def calendars(tx: Transaction, hosts: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], UUID]:
    """The calendar of each (organization, host) that has connected one; of several, the newest."""
    rows = await tx.fetch(CALENDARS, [org for org, _ in hosts], [host for _, host in hosts])
    return {(row["organization_id"], row["user_id"]): row["id"] for row in rows}


def _host(row: Row) -> Host:
    given = {key: value for key, value in row.items() if key not in ("organization_id", "hours")}
    return Host(**given, hours=read_hours(row["hours"]))
