"""What websocket does when events come: it shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from flotilla.bus.declare import RawEvent, tap
from flotilla.ids import time_of
from flotilla.store.postgres import Transaction

from flotilla_websocket.domain.entry import entry_of
from flotilla_websocket.live import Live
from flotilla_websocket.metrics import TOO_OLD
from flotilla_websocket.shown import HEEDED, SHOWN
from flotilla_websocket.store import feed

MARGIN: Final = timedelta(hours=1)


@tap("live", *SHOWN, *HEEDED)
async def show(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Write the events to the feed; once that has committed, push those that are new."""
    now = datetime.now(UTC)
    first, last = now - feed.KEPT + MARGIN, now + MARGIN
    entries = [entry_of(event.envelope) for event in batch if first < time_of(event.envelope.id) < last]
    TOO_OLD.inc(len(batch) - len(entries))
    if not entries:
        return
    new = await feed.write(tx, entries)
    live: Live = tx.app.own
    tx.after_commit(lambda: live.publish(new))
