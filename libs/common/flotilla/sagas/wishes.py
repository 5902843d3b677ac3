"""The side that grants: a wish is taken once, and one that was taken back before it came is refused.

    granted, refused = await wishes.take(tx, batch)     # in the reaction to `task.requested`
    await wishes.cancel(tx, batch)                       # in the reaction to `task.delete.requested`

Wishes carry `request_id`, undos carry `cancels`, the wish's `request_id`. What is granted has the id of its
request, so that the undo finds it. Both sides write the same row, so the order in which a wish and its undo
come makes no difference: one of them sees the other.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.store.postgres import Transaction

# Sorted, so that two processes with the same wishes wait for each other in one order.
TAKE: Final = """
INSERT INTO wishes (organization_id, request_id, state)
SELECT org, request, 'taken' FROM unnest($1::uuid[], $2::uuid[]) AS t (org, request) ORDER BY org, request
ON CONFLICT DO NOTHING RETURNING request_id"""

CANCELLED: Final = """
SELECT w.request_id FROM wishes w
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, request) ON w.organization_id = t.org AND w.request_id = t.request
WHERE w.state = 'cancelled'"""

CANCEL: Final = """
INSERT INTO wishes (organization_id, request_id, state)
SELECT DISTINCT org, request, 'cancelled' FROM unnest($1::uuid[], $2::uuid[]) AS t (org, request) ORDER BY org, request
ON CONFLICT DO NOTHING"""


W = TypeVar("W", bound=Any)


async def take(tx: Transaction, batch: Sequence[Received[W]]) -> tuple[list[Received[W]], list[Received[W]]]:
    """The wishes that are to be granted, and those that had been taken back before they came.

    One that was taken already, under another event's id, is in neither: it has its answer.
    """
    wishes = {(event.org, event.data.request_id): event for event in batch}
    orgs, ids = [org for org, _ in wishes], [id_ for _, id_ in wishes]
    taken = {row["request_id"] for row in await tx.fetch(TAKE, orgs, ids)}
    rest = [event for event in wishes.values() if event.data.request_id not in taken]
    cancelled: set[UUID] = set()
    if rest:
        rows = await tx.fetch(
            CANCELLED, [event.org for event in rest], [event.data.request_id for event in rest]
        )
        cancelled = {row["request_id"] for row in rows}
    return (
        [event for event in wishes.values() if event.data.request_id in taken],
        [event for event in rest if event.data.request_id in cancelled],
    )


async def cancel(tx: Transaction, batch: Sequence[Received[W]]) -> None:
    """Leave a tombstone for each wish that has not come; those that have are left to the caller's undo.

    After this no wish of the batch can be granted any more, so what its undo does not find was never made.
    """
    await tx.execute(CANCEL, [event.org for event in batch], [event.data.cancels for event in batch])
