"""The inbox of reactions: which events a handler has had, written in the transaction of their effect."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flotilla.bus.envelope import Received
from flotilla.ids import first_id_at
from flotilla.store.postgres import Database, Transaction
from flotilla.telemetry import metrics

KEPT: Final = timedelta(days=3)
"""Ids older than this are forgotten, so an unknown one cannot be run: it is parked for a person."""

CLAIM: Final = """
INSERT INTO inbox (event_id, handler) SELECT id, $2 FROM unnest($1::uuid[]) AS id
ON CONFLICT DO NOTHING RETURNING event_id"""


class ForgottenEventError(Exception):
    """The event is older than the inbox remembers: nobody can say whether it was handled."""


def refuse_forgotten(events: Sequence[Received[Any]]) -> None:
    """Raise where an event is too old for the inbox."""
    oldest = first_id_at(datetime.now(UTC) - KEPT)
    for event in events:
        if event.id < oldest:
            raise ForgottenEventError(f"{event.id} is older than {KEPT.days} days: replay it if not handled")


async def claim(tx: Transaction, handler: str, batch: Sequence[Received[Any]]) -> list[Received[Any]]:
    """The events of the batch that this handler has not had; in this transaction they are its own."""
    rows = await tx.fetch(CLAIM, sorted(event.id for event in batch), handler)
    new = {row["event_id"] for row in rows}
    if len(new) < len(batch):
        metrics.DUPLICATES.labels(handler).inc(len(batch) - len(new))
    return [event for event in batch if event.id in new]


async def keep_partitions(db: Database) -> None:
    """Make the partitions of the next hours and drop those past `KEPT`."""
    await db.execute("SELECT keep_inbox_partitions()")
