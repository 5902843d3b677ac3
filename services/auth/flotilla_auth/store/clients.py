"""Which contacts clients are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

LINK: Final = """
INSERT INTO clients (organization_id, user_id, contact_ids, merge_ids)
VALUES ($1, $2, ARRAY[$3::uuid], ARRAY[NULL::uuid])
ON CONFLICT (organization_id, user_id) DO UPDATE
SET contact_ids = excluded.contact_ids, merge_ids = excluded.merge_ids, sequence = clients.sequence + 1
RETURNING organization_id, user_id, contact_ids, sequence"""

UNLINK: Final = """
UPDATE clients SET contact_ids = '{}', merge_ids = '{}', sequence = sequence + 1
WHERE organization_id = $1 AND user_id = $2 AND contact_ids <> '{}'
RETURNING organization_id, user_id, contact_ids, sequence"""

PAGE: Final = "SELECT organization_id, user_id, contact_ids, sequence FROM clients"
LINKED: Final = "cardinality(contact_ids) > 0"

# What either of the two had is one person's from now on.
MERGE: Final = """
UPDATE clients SET sequence = sequence + 1, merge_ids = merge_ids || $4::uuid,
    contact_ids = contact_ids || CASE WHEN contact_ids @> ARRAY[$2::uuid] THEN $3::uuid ELSE $2::uuid END
WHERE organization_id = $1 AND contact_ids && ARRAY[$2::uuid, $3::uuid]
    AND NOT contact_ids @> ARRAY[$2::uuid, $3::uuid]
RETURNING organization_id, user_id, contact_ids, sequence"""

# What came by a merge, and all that came after it, may have come through it: it goes too.
UNMERGE: Final = """
UPDATE clients SET sequence = sequence + 1,
    contact_ids = contact_ids[:array_position(merge_ids, $2::uuid) - 1],
    merge_ids = merge_ids[:array_position(merge_ids, $2::uuid) - 1]
WHERE organization_id = $1 AND merge_ids @> ARRAY[$2::uuid]
RETURNING organization_id, user_id, contact_ids, sequence"""

FORGET: Final = """
UPDATE clients SET sequence = sequence + 1,
    contact_ids = contact_ids[:array_position(contact_ids, $2::uuid) - 1],
    merge_ids = merge_ids[:array_position(contact_ids, $2::uuid) - 1]
WHERE organization_id = $1 AND contact_ids @> ARRAY[$2::uuid]
RETURNING organization_id, user_id, contact_ids, sequence"""


@dataclass(frozen=True, slots=True)
class Client:
    """A person who is a client, and the contacts they are; none: they are linked to nobody any more."""

    organization_id: UUID
    user_id: UUID
    contact_ids: list[UUID]
    sequence: int


async def link(tx: Transaction, org: UUID, user_id: UUID, contact_id: UUID) -> Client:
    """They are this contact from now on, and no other."""
    row = await tx.fetchrow(LINK, org, user_id, contact_id)
    assert row is not None
    return Client(**row)


async def unlink(tx: Transaction, org: UUID, user_id: UUID) -> Client | None:
    """They are nobody's contact; None where they were none."""
    row = await tx.fetchrow(UNLINK, org, user_id)
    return None if row is None else Client(**row)


async def page(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Client]:
    """`limit` of those who are linked in this order, after the one with the key `after`."""
    return _read(await order.read(tx, PAGE, Where(org).also(LINKED), after, limit))


async def merge(tx: Transaction, org: UUID, gone: UUID, into: UUID, merge_id: UUID) -> list[Client]:
    """Two contacts are one: clients who are either are both. Who changed."""
    return _read(await tx.fetch(MERGE, org, gone, into, merge_id))


async def unmerge(tx: Transaction, org: UUID, merge_id: UUID) -> list[Client]:
    """They were two after all. Who changed."""
    return _read(await tx.fetch(UNMERGE, org, merge_id))


async def forget(tx: Transaction, org: UUID, contact_id: UUID) -> list[Client]:
    """A contact is gone, with what had come after it. Who changed."""
    return _read(await tx.fetch(FORGET, org, contact_id))


def _read(rows: Sequence[Row]) -> list[Client]:
    return [Client(**row) for row in rows]
