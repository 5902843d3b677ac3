"""Who may have killed the process: redelivered events are written down before they are begun.

A batch that is delivered again was merely returned, most often: its process stopped, its connection broke. It is
handled as a batch again, each event written down as begun before and struck out after. One that was begun and
not ended, by whichever process, runs alone from then on; begun `STARTS` times, it is what kills, and is parked
unrun. Fresh batches pay nothing for this.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database

STARTS: Final = 4
"""Once among others, then alone."""

KNOWN: Final = "SELECT event_id, starts FROM suspects WHERE event_id = ANY($1)"
BEGIN: Final = """
INSERT INTO suspects (event_id) SELECT unnest($1::uuid[])
ON CONFLICT (event_id) DO UPDATE SET starts = suspects.starts + 1
RETURNING event_id, starts"""
END: Final = "DELETE FROM suspects WHERE event_id = ANY($1)"


async def known(db: Database, event_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Which of them were begun and not ended, and how often."""
    return {row["event_id"]: row["starts"] for row in await db.fetch(KNOWN, event_ids)}


async def begin(db: Database, event_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Write down that they are begun: how often each has been, this time included."""
    distinct = sorted(set(event_ids))  # in one order, so that replicas do not wait for each other in a circle
    return {row["event_id"]: row["starts"] for row in await db.fetch(BEGIN, distinct)}


async def end(db: Database, event_ids: Sequence[UUID]) -> None:
    """They have ended, well or ill: they are no suspects."""
    await db.execute(END, event_ids)


def groups(event_ids: Sequence[UUID], starts: Mapping[UUID, int]) -> list[slice]:
    """In the order of delivery: runs of events that nothing is known against, and each suspect by itself."""
    found: list[slice] = []
    for index, event_id in enumerate(event_ids):
        joins = found and event_id not in starts and event_ids[index - 1] not in starts
        if joins:
            found[-1] = slice(found[-1].start, index + 1)
        else:
            found.append(slice(index, index + 1))
    return found
