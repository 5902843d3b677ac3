"""Calls: placed once, and told when they are over.

A vendor without a key of idempotence is asked whether a call whose answer was lost is under way. Nobody is called
twice: where that cannot be said, the call is `unconfirmed`, until its report comes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.events.connectors import VoiceCallEnded
from flotilla.ids import derived_id
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations.adapters.base import AdapterError, RefusedError, UnconfirmedError
from flotilla_integrations.adapters.voice import (
    FIND_CALL,
    PLACE_CALL,
    CallReport,
    FindCall,
    FoundCall,
    PlaceCall,
    PlacedCall,
)
from flotilla_integrations.domain import EPOCH, Account, identity_id
from flotilla_integrations.events import AUDIENCE
from flotilla_integrations.own import own
from flotilla_integrations.store import connectors as store

PLACE: Final = "voice_place"
TOLD_BYTES: Final = 8_000
CLOCKS_DIFFER: Final = timedelta(minutes=2)
UNANSWERED: Final = frozenset(
    {"customer-did-not-answer", "customer-busy", "voicemail", "twilio-failed-to-connect-call"}
)
NOT_CONNECTED: Final = "The telephone is not connected."
LOST: Final = "The vendor's answer was lost; nobody knows whether it called."


class Placing(msgspec.Struct, frozen=True):
    """The call to be placed."""

    call_id: UUID
    name: str | None


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Why it was not, or whether nobody knows."""

    reason: str
    unconfirmed: bool = False


def ask_to_place(tx: Transaction, row: Row, name: str | None) -> None:
    """Have it placed."""
    tx.enqueue(PLACE, str(row["id"]), Placing(row["id"], name), org=row["organization_id"])


async def place(app: App, job: Job) -> PlacedCall | NotPlaced:
    """Have the vendor call; an attempt before this one may have done it."""
    async with app.db.transaction(job.org) as tx:
        row = await tx.fetchrow(store.CALL, job.org, job.payload.call_id)
    assert row is not None
    known = await own(app).directory.find(row["account_id"])
    if known is None or known.adapter is None or not known.is_open:
        return NotPlaced(NOT_CONNECTED)
    if job.interrupted:
        since = row["created_at"] - CLOCKS_DIFFER
        found: FoundCall = await known.adapter.execute(FIND_CALL, FindCall(call_id=row["id"], since=since))
        if found.external_id is not None:
            return PlacedCall(external_id=found.external_id)
        return NotPlaced(LOST, unconfirmed=True)
    wanted = PlaceCall(
        call_id=row["id"], number=row["number"], name=job.payload.name, assistant=row["assistant"]
    )
    try:
        placed: PlacedCall = await known.adapter.execute(PLACE_CALL, wanted)
    except RefusedError as error:
        return NotPlaced(str(error))
    except UnconfirmedError:
        found = await known.adapter.execute(
            FIND_CALL, FindCall(call_id=row["id"], since=row["created_at"] - CLOCKS_DIFFER)
        )
        if found.external_id is None:
            return NotPlaced(LOST, unconfirmed=True)
        return PlacedCall(external_id=found.external_id)
    return placed


async def placed(tx: Transaction, job: Job, result: PlacedCall | NotPlaced) -> None:
    """Remember the vendor's id, or say that nobody was called."""
    if isinstance(result, PlacedCall):
        await tx.execute(store.PLACED, job.org, job.payload.call_id, result.external_id)
        return
    row = await tx.fetchrow(store.LOCK_CALL, job.org, job.payload.call_id)
    assert row is not None
    await _end(tx, row, "unconfirmed" if result.unconfirmed else "failed", result.reason)


async def not_placed(tx: Transaction, job: Job, error: Exception) -> None:
    """The vendor was never reached, or does not say what became of it."""
    words = str(error) if isinstance(error, AdapterError) else "VAPI did not answer."
    await placed(tx, job, NotPlaced(words, unconfirmed=job.interrupted))


async def over(tx: Transaction, account: Account, report: CallReport) -> None:
    """A call is over: told once."""
    org = account.organization_id
    row = await tx.fetchrow(store.LOCK_CALL, org, report.call_id) if report.call_id else None
    if row is None or row["account_id"] != account.id:
        row = await tx.fetchrow(store.LOCK_CALL_OF_VENDOR, org, account.id, report.external_id)
    call_id = row["id"] if row else derived_id(EPOCH, "call", str(account.id), report.external_id)
    number = row["number"] if row else report.number
    spoken = report.duration_seconds > 0 and report.ended_reason not in UNANSWERED
    saved = await tx.fetchrow(
        store.CALL_OVER,
        org,
        call_id,
        account.id,
        report.external_id,
        "outbound" if report.outbound else "inbound",
        "completed" if spoken else "failed",
        identity_id(account.connector, account.id, number or report.external_id),
        number,
        report.ended_reason,
        report.started_at,
        report.ended_at,
        report.duration_seconds,
        report.cost_usd,
        report.summary,
        report.transcript,
        report.recording_url,
    )
    if saved is not None:
        _tell(tx, saved)


async def _end(tx: Transaction, row: Row, state: str, reason: str) -> None:
    saved = await tx.fetchrow(
        store.CALL_OVER,
        row["organization_id"],
        row["id"],
        row["account_id"],
        None,
        row["direction"],
        state,
        row["identity_id"],
        row["number"],
        reason,
        None,
        datetime.now(UTC),
        0,
        None,
        None,
        None,
        None,
    )
    if saved is not None:
        _tell(tx, saved)


def _tell(tx: Transaction, row: Row) -> None:
    cost: Decimal | None = row["cost_usd"]
    event = VoiceCallEnded(
        call_id=row["id"],
        account_id=row["account_id"],
        external_id=row["external_id"],
        direction=row["direction"],
        contact_id=row["contact_id"],
        identity_id=row["identity_id"],
        number=row["number"],
        outcome=row["state"],
        ended_reason=row["ended_reason"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        duration_seconds=row["duration_seconds"],
        cost_usd=None if cost is None else str(cost),
        summary=_short(row["summary"]),
        transcript=_short(row["transcript"]),
        recording_url=row["recording_url"],
    )
    tx.emit(event, org=row["organization_id"], sequence=row["sequence"], audience=AUDIENCE)


def _short(text: str | None) -> str | None:
    return None if text is None else text.encode()[:TOLD_BYTES].decode(errors="ignore")


place_job: Final = JobKind(PLACE, Placing, place, placed, not_placed, lease=timedelta(seconds=90), attempts=5)
