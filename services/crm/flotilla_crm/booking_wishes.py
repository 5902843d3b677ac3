"""Bookings that other services ask for, and the calendars they stand in."""

from collections.abc import Sequence
from dataclasses import replace

from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.bookings import BookingFailed, BookingRequested
from flotilla.events.integrations import (
    Account,
    IntegrationConnected,
    IntegrationDisconnected,
    IntegrationFailed,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_crm.booking import Wanted, book
from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.bookings import DEFAULT_TITLE, MAX_TITLE, Refusal, slot
from flotilla_crm.holding import Refused
from flotilla_crm.store import hosts

CALENDAR = "calendar"
MAX_HOSTS = 50


@projection(
    IntegrationConnected, IntegrationDisconnected, IntegrationFailed, lane="directory", tables=("calendars",)
)
async def keep_calendars(tx: Transaction, batch: Sequence[Received[Account]]) -> None:
    """Know who has connected a calendar."""
    found = [event for event in batch if event.data.kind == CALENDAR]
    if found:
        await hosts.keep_calendars(tx, found)


@reaction(BookingRequested, lane="wishes")
async def grant_bookings(tx: Transaction, batch: Sequence[Received[BookingRequested]]) -> None:
    """Book what others ask for, or say why not and what can be had."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        _refuse(tx, event, Refused(Refusal.CANCELLED))
    results = await book(tx, [_wanted(event) for event in granted]) if granted else {}
    for event in granted:
        result = results[event.data.request_id]
        if isinstance(result, Refused):
            _refuse(tx, event, result)


def _wanted(event: Received[BookingRequested]) -> Wanted:
    wish = event.data
    return Wanted(
        org=event.org,
        booking_id=wish.request_id,
        host_ids=tuple(wish.host_ids[:MAX_HOSTS]),
        starts_at=wish.starts_at,
        first_free=wish.first_free,
        contact_id=wish.contact_id,
        title=(wish.title or "").strip()[:MAX_TITLE] or DEFAULT_TITLE,
        request_id=wish.request_id,
        cause=event.cause,
    )


def _refuse(tx: Transaction, event: Received[BookingRequested], refused: Refused) -> None:
    failed = BookingFailed(
        booking_id=event.data.request_id,
        contact_id=event.data.contact_id,
        starts_at=event.data.starts_at,
        reason=refused.why.value,
        free_slots=[slot(offer) for offer in refused.offers],
    )
    cause = replace(event.cause, request_id=event.data.request_id)
    tx.emit(failed, org=event.org, sequence=1, cause=cause, audience=AUDIENCE)
