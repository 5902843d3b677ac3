"""Running parked events again, each alone, when they are due."""

from typing import Final

from flotilla.app import App
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import NotYetKnown, RawEvent, RetryLater
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import decode, receive
from flotilla.bus.parked import MAX_ATTEMPTS, delay_after, error_frames, error_words
from flotilla.events.base import CONTRACTS
from flotilla.store.postgres import Database, Row

DUE: Final = """
SELECT event_id, handler, lane, body, state, attempts FROM parked_events
WHERE state <> 'parked' AND due_at <= now() ORDER BY due_at LIMIT $1"""

CLAIM: Final = """
UPDATE parked_events SET due_at = now() + interval '1 minute'
WHERE event_id = $1 AND handler = $2 AND state <> 'parked' AND due_at <= now() RETURNING attempts"""

FAILED_AGAIN: Final = """
UPDATE parked_events SET state = $3, waiting_for = $4, attempts = $5, error = $6, stack = $7, due_at = now() + $8,
                         failed_at = now()
WHERE event_id = $1 AND handler = $2"""

DONE: Final = "DELETE FROM parked_events WHERE event_id = $1 AND handler = $2"


async def rerun_due(app: App, limit: int = 20) -> int:
    """Run again what is due: the number tried. Two processes never run the same one at once."""
    rows = await app.db.fetch(DUE, limit)
    for row in rows:
        if app.stopping.is_set():
            break
        claimed = await app.db.fetchval(CLAIM, row["event_id"], row["handler"])
        if claimed is not None:
            await rerun(app, row)
    return len(rows)


async def rerun(app: App, row: Row) -> bool:
    """Run one parked event now: whether it is done. A failure is written down with its back-off."""
    try:
        await _run(app, row)
    except INFRASTRUCTURE_ERRORS:
        raise
    except Exception as error:
        await _failed_again(app.db, row, error)
        return False
    await app.db.execute(DONE, row["event_id"], row["handler"])
    return True


async def _run(app: App, row: Row) -> None:
    envelope = decode(row["body"])
    tap = app.service.tap
    if tap is not None and tap.name == row["handler"]:
        async with app.db.transaction(envelope.organizationid) as tx:
            await tap.run(tx, [RawEvent(envelope, row["body"])])
        return
    handler = next(each for each in app.service.handlers if each.name == row["handler"])
    await Dispatcher(app, row["lane"]).retry(handler, receive(envelope, CONTRACTS[envelope.type]))


async def _failed_again(db: Database, row: Row, error: Exception) -> None:
    attempts = row["attempts"] + 1
    waiting_for = error.waiting_for if isinstance(error, NotYetKnown) else None
    state = "parked" if attempts >= MAX_ATTEMPTS else "waiting" if waiting_for else "retrying"
    delay = error.after if isinstance(error, RetryLater) else delay_after(attempts)
    await db.execute(
        FAILED_AGAIN,
        row["event_id"],
        row["handler"],
        state,
        waiting_for,
        attempts,
        error_words(error),
        error_frames(error),
        delay,
    )
