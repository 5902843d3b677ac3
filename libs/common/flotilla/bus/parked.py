"""Parked events: what a handler could not do, kept with the error until it can, or until a person decides.

`retrying`: run again at `due_at`, with back-off, until `MAX_ATTEMPTS`. `waiting`: its entity is not known yet
(`NotYetKnown`); run when it has arrived, and by back-off all the same. `parked`: left to an operator, who
inspects, replays or discards it.
"""

import hashlib
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus.declare import NotYetKnown, RawEvent, RetryLater
from flotilla.bus.envelope import Received, decode
from flotilla.bus.inbox import ForgottenEventError
from flotilla.events.base import Event, contract_of
from flotilla.store.order import Order, both
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where
from flotilla.telemetry import metrics
from flotilla.telemetry.logs import own_words

log = structlog.get_logger()

MAX_ATTEMPTS: Final = 10
MAX_DELAY: Final = timedelta(hours=1)
PARK: Final = """
INSERT INTO parked_events (event_id, handler, lane, type, organization_id, body, state, waiting_for, error, stack,
                           due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11)
ON CONFLICT (event_id, handler) DO UPDATE SET
    state = excluded.state, waiting_for = excluded.waiting_for, error = excluded.error, stack = excluded.stack,
    attempts = parked_events.attempts + 1, due_at = excluded.due_at, failed_at = now()"""

LIST: Final = """
SELECT event_id, handler, lane, type, organization_id, state, waiting_for, attempts, error, due_at, failed_at
FROM parked_events"""

ORDERS: Final = both("failed_at", Order(("failed_at", "event_id", "handler"), (datetime, UUID, str)))
LATEST: Final = "-failed_at"


class CrashedRepeatedlyError(Exception):
    """The process died with this event in hand, again and again."""


def delay_after(attempts: int) -> timedelta:
    """1 s, doubling with each attempt, at most an hour."""
    return min(timedelta(seconds=2.0 ** min(attempts - 1, 20)), MAX_DELAY)


async def park(db: Database, lane: str, handler: str, event: Received[Event], error: Exception) -> None:
    """Keep an event that its handler failed on; it is run again unless the error is final."""
    raw = RawEvent(event.envelope, _body(event))
    await _park(db, lane, handler, raw, error)


async def park_raw(db: Database, lane: str, handler: str, event: RawEvent, error: Exception) -> None:
    """The same for the archive's events."""
    await _park(db, lane, handler, event, error)


async def park_unreadable(db: Database, lane: str, body: bytes, error: Exception) -> None:
    """Keep what is no event of ours, or of a type nobody here knows; there is nothing to run again."""
    try:
        envelope = decode(body)
        type_, org = envelope.type, envelope.organizationid
    except Exception:  # whatever it is, it must not come back
        type_, org = "unreadable", None
    await db.execute(
        PARK,
        event_id(body),
        "",
        lane,
        type_,
        org,
        body,
        "parked",
        None,
        error_words(error),
        error_frames(error),
        timedelta(),
    )
    log.error("event.unreadable", lane=lane, type=type_, error=type(error).__name__)


def event_id(body: bytes) -> UUID:
    """The event's id; of what cannot be read one of its bytes, the same however often they are delivered."""
    try:
        return decode(body).id
    except Exception:  # broken UTF-8 and endless nesting have errors of their own
        return UUID(bytes=hashlib.sha256(body).digest()[:16])


async def park_crashed(app: App, lane: str, body: bytes, error: CrashedRepeatedlyError) -> None:
    """Keep an event unrun for each of its handlers."""
    try:
        event = RawEvent(decode(body), body)
    except Exception:  # it killed before it could be refused
        await park_unreadable(app.db, lane, body, error)
        return
    for handler in _handlers(app, lane, event.envelope.type):
        await _park(app.db, lane, handler, event, error)


def _handlers(app: App, lane: str, type_: str) -> list[str]:
    tap = app.service.tap
    if tap is not None and tap.lane == lane:
        return [tap.name]
    declared = (handler for handler in app.service.handlers if handler.lane == lane)
    return [each.name for each in declared if any(contract_of(data).type == type_ for data in each.types)]


async def _park(db: Database, lane: str, handler: str, event: RawEvent, error: Exception) -> None:
    envelope = event.envelope
    state, waiting_for, delay = "retrying", None, delay_after(1)
    if isinstance(error, NotYetKnown):
        state, waiting_for, delay = "waiting", error.waiting_for, timedelta(seconds=5)
    elif isinstance(error, RetryLater):
        delay = error.after
    elif isinstance(error, ForgottenEventError | CrashedRepeatedlyError):
        state = "parked"
    await db.execute(
        PARK,
        envelope.id,
        handler,
        lane,
        envelope.type,
        envelope.organizationid,
        event.body,
        state,
        waiting_for,
        error_words(error),
        error_frames(error),
        delay,
    )
    log.warning(
        "event.parked",
        lane=lane,
        handler=handler,
        event_id=str(envelope.id),
        type=envelope.type,
        org=str(envelope.organizationid),
        correlation_id=str(envelope.correlationid),
        state=state,
        error=type(error).__name__,
    )


async def listing(
    db: Database,
    org: UUID | None,
    state: str | None,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Parked events of one organization or, for operators, of all, in one of `ORDERS`, after a key."""
    where = Where.without_tenant({"organization_id": org, "state": state})
    return await order.read(db, LIST, where, after, limit)


async def read(db: Database | Transaction, event_id: UUID) -> list[Row]:
    """One event, with body and stack, for each handler that failed on it."""
    return await db.fetch("SELECT * FROM parked_events WHERE event_id = $1", event_id)


async def replay(db: Database | Transaction, event_id: UUID) -> int:
    """Have it run again at once, its attempts forgotten: the number of handlers it is replayed to."""
    tag = await db.execute(
        "UPDATE parked_events SET state = 'retrying', attempts = 0, due_at = now()"
        " WHERE event_id = $1 AND handler <> ''",
        event_id,
    )
    return int(tag.split()[-1])


async def discard(db: Database | Transaction, event_id: UUID) -> int:
    """Give it up: the number of rows that went."""
    tag = await db.execute("DELETE FROM parked_events WHERE event_id = $1", event_id)
    return int(tag.split()[-1])


async def count(db: Database) -> None:
    """Bring the gauge up to date."""
    rows = await db.fetch("SELECT state, count(*) AS events FROM parked_events GROUP BY state")
    found = {row["state"]: row["events"] for row in rows}
    for state in ("retrying", "waiting", "parked"):
        metrics.PARKED.labels(state).set(found.get(state, 0))


def _body(event: Received[Any]) -> bytes:
    return msgspec.json.encode(event.envelope)


def error_words(error: Exception) -> str:
    """The error's type, and its words only where they are ours: a database's may quote a row."""
    words = own_words(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def error_frames(error: Exception) -> str:
    """Where it happened, without the values: frames only."""
    return "".join(traceback.format_tb(error.__traceback__))
