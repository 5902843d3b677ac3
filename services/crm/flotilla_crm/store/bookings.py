"""Bookings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.bookings import DEFAULT_TITLE, Booking, BookingState

COLUMNS: Final = (
    "id, sequence, request_id, hold_id, moving_to, host_id, contact_id, title, starts_at, ends_at, time_zone, state,"
    " reason, created_at"
)

INSERT: Final = f"""
INSERT INTO bookings (organization_id, id, request_id, hold_id, host_id, contact_id, title, starts_at, ends_at,
                      time_zone)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[],
                     $8::timestamptz[], $9::timestamptz[], $10::text[])
RETURNING {COLUMNS}"""  # noqa: S608

SAVE: Final = f"""
UPDATE bookings SET sequence = sequence + 1, hold_id = $3, moving_to = $4, host_id = $5, starts_at = $6, ends_at = $7,
                    time_zone = $8, state = $9, reason = $10
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

LIST: Final = f"SELECT {COLUMNS} FROM bookings"  # noqa: S608
CLIENTS: Final = "(SELECT contact_ids FROM client_contacts WHERE organization_id = {} AND user_id = {})"
READ: Final = f"SELECT {COLUMNS} FROM bookings WHERE organization_id = $1 AND id = $2"  # noqa: S608

# Commands on one booking take turns. Answers of its sagas do not wait for this: they hold the saga, then the booking,
# and a command, once it has its turn, does the same.
TAKE_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('booking ' || $1::uuid::text, 0))"

# Whom a confirmation can reach: somebody on a channel.
CONTACTS: Final = """
SELECT c.organization_id, c.id, c.name, c.email,
       EXISTS (SELECT FROM channel_identities i
               WHERE i.organization_id = c.organization_id AND i.contact_id = c.id) AS reachable
FROM contacts c
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON c.organization_id = t.org AND c.id = t.id"""

# What a booking says of a person who is to be forgotten; it stands, for the host's time is taken.
FORGET: Final = """
WITH freed AS (
    UPDATE bookings SET sequence = sequence + 1, contact_id = NULL, title = $3
    WHERE organization_id = $1 AND contact_id = $2 RETURNING id)
UPDATE sagas SET context = context || jsonb_build_object(
    'contact_id', NULL, 'contact_name', NULL, 'contact_email', NULL, 'reachable', false, 'title', $3)
FROM freed WHERE organization_id = $1 AND subject_id = freed.id AND kind = 'booking'"""

Key = tuple[UUID, UUID]
"""(organization, id)."""


async def add(tx: Transaction, bookings: Sequence[tuple[UUID, Booking]]) -> list[Booking]:
    """Write new bookings: (organization, booking); what the database adds is in the result."""
    rows = await tx.fetch(
        INSERT,
        [org for org, _ in bookings],
        [each.id for _, each in bookings],
        [each.request_id for _, each in bookings],
        [each.hold_id for _, each in bookings],
        [each.host_id for _, each in bookings],
        [each.contact_id for _, each in bookings],
        [each.title for _, each in bookings],
        [each.starts_at for _, each in bookings],
        [each.ends_at for _, each in bookings],
        [each.time_zone for _, each in bookings],
    )
    return [_booking(row) for row in rows]


async def save(tx: Transaction, org: UUID, booking: Booking) -> Booking:
    """Write a changed booking: the result has the next sequence."""
    row = await tx.fetchrow(
        SAVE,
        org,
        booking.id,
        booking.hold_id,
        booking.moving_to,
        booking.host_id,
        booking.starts_at,
        booking.ends_at,
        booking.time_zone,
        booking.state.value,
        booking.reason,
    )
    assert row is not None
    return _booking(row)


async def read(tx: Transaction, org: UUID, booking_id: UUID, *, lock: bool = False) -> Booking | None:
    """The booking, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, booking_id)
    return None if row is None else _booking(row)


async def take_turn(tx: Transaction, booking_id: UUID) -> None:
    """Until the commit no other command changes this booking or starts something for it."""
    await tx.execute(TAKE_TURN, booking_id)


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    span: tuple[datetime | None, datetime | None],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Booking]:
    """Bookings that begin in `span`, its end left out, in this order. `filters`: column → value."""
    begin, end = span
    where = Where(org).equal(filters).in_reach("bookings", "host_id")
    if begin is not None:
        where.also("starts_at >= {}", begin)
    if end is not None:
        where.also("starts_at < {}", end)
    return [_booking(row) for row in await order.read(tx, LIST, where, after, limit)]


async def of_client(
    tx: Transaction, org: UUID, user_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Booking]:
    """With the contacts that somebody is, in this order, after the one with the key `after`."""
    where = Where(org).also("state <> 'failed'").also(f"contact_id = ANY ({CLIENTS}::uuid[])", org, user_id)
    return [_booking(row) for row in await order.read(tx, LIST, where, after, limit)]


async def contacts(tx: Transaction, wanted: Sequence[Key]) -> dict[Key, Row]:
    """Name, email and whether they can be reached on a channel, of those contacts that there are."""
    rows = await tx.fetch(CONTACTS, [org for org, _ in wanted], [id_ for _, id_ in wanted])
    return {(row["organization_id"], row["id"]): row for row in rows}


async def forget_contact(tx: Transaction, org: UUID, contact_id: UUID) -> None:
    """Leave nothing of a contact in the bookings with them."""
    await tx.execute(FORGET, org, contact_id, DEFAULT_TITLE)


async def now(tx: Transaction) -> datetime:
    """The transaction's time, by the database's clock."""
    found: datetime = await tx.fetchval("SELECT now()")
    return found


def _booking(row: Row) -> Booking:
    return Booking(**{**row, "state": BookingState(row["state"])})
