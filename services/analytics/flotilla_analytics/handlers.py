"""Events in: all of them, into the archive."""

from collections.abc import Sequence

from flotilla.bus.declare import RawEvent, tap
from flotilla.store.postgres import Transaction

from flotilla_analytics.archiving import archive_events


@tap(lane="archive")
async def archive(tx: Transaction, events: Sequence[RawEvent]) -> None:
    """Keep every event there is; its id is the key, so a repeat changes nothing."""
    await archive_events(tx, tx.app.keyring, events)
