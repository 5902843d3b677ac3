"""Wishes for calendar events, and their undoing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.integrations import (
    CalendarEventDeleteRequested,
    CalendarEventFailed,
    CalendarEventRequested,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.calendar import CALENDAR
from flotilla_integrations.calendars import writing
from flotilla_integrations.domain import AccountState
from flotilla_integrations.store import calendars as store

LANE: Final = "calendars"
LONGEST_TEXT: Final = 500
UNTITLED: Final = "Booking"


@reaction(CalendarEventRequested, lane=LANE)
async def write_events(tx: Transaction, batch: Sequence[Received[CalendarEventRequested]]) -> None:
    """Have events written into connected calendars; say at once where there is none."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        refuse(tx, event, "cancelled")
    if not granted:
        return
    accounts = await store.accounts_of(tx, granted)
    wanted = []
    for event in granted:
        objection = _objection(accounts.get((event.org, event.data.account_id)))
        if objection is None:
            wanted.append((event, _title(event.data), _description(event.data)))
            writing.ask_to_write(tx, event)
        else:
            refuse(tx, event, objection)
    await store.add(tx, wanted)


@reaction(CalendarEventDeleteRequested, lane=LANE)
async def delete_events(tx: Transaction, batch: Sequence[Received[CalendarEventDeleteRequested]]) -> None:
    """Have events deleted; those that were never asked for, and will be refused, are gone already."""
    await wishes.cancel(tx, batch)
    undos = {(event.org, event.data.cancels): event for event in batch}
    orgs, ids = [org for org, _ in undos], [id_ for _, id_ in undos]
    rows = {(row["organization_id"], row["id"]): row for row in await tx.fetch(store.LOCK_ALL, orgs, ids)}
    await tx.execute(
        store.WANT_GONE,
        orgs,
        ids,
        [event.data.request_id for event in undos.values()],
        [event.data.reason for event in undos.values()],
    )
    for key, event in undos.items():
        row = rows.get(key)
        if row is None or row["state"] in ("deleted", "failed"):
            writing.tell_deleted(tx, event.org, event.data, row["sequence"] if row else 1, answer(event))
        elif row["state"] == "standing":
            writing.ask_to_delete(tx, event.org, key[1], event.data.request_id, answer(event))


def refuse(tx: Transaction, event: Received[CalendarEventRequested], reason: str) -> None:
    """It will not stand there."""
    wish = event.data
    failed = CalendarEventFailed(
        request_id=wish.request_id, booking_id=wish.booking_id, account_id=wish.account_id, reason=reason
    )
    tx.emit(failed, org=event.org, sequence=1, cause=answer(event))


def answer(event: Received[CalendarEventRequested] | Received[CalendarEventDeleteRequested]) -> Cause:
    """What an answer goes back to."""
    return replace(event.cause, request_id=event.data.request_id)


def _objection(account: Row | None) -> str | None:
    if account is None or ADAPTERS[account["connector"]].kind != CALENDAR:
        return "unknown_account"
    return None if account["state"] == AccountState.CONNECTED else "not_connected"


def _title(wish: CalendarEventRequested) -> str:
    return (wish.title or "").strip()[:LONGEST_TEXT] or UNTITLED


def _description(wish: CalendarEventRequested) -> str:
    people = [
        f"{each.name or ''} {f'<{each.email}>' if each.email else ''}".strip()
        for each in wish.attendees or ()
    ]
    return "\n".join(f"With {person}" for person in people if person)[: 4 * LONGEST_TEXT]
