"""Reading what others changed in a connected calendar, every few minutes, as long as it is connected.

The first look only remembers what is there. What we put there ourselves is no change of others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.cause import Cause
from flotilla.events.integrations import CalendarEventChanged, IntegrationFailed
from flotilla.ids import derived_id
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations.adapters.base import AccountRefusedError
from flotilla_integrations.adapters.calendar import LIST_CHANGES, Changes, Item, ListChanges
from flotilla_integrations.calendars.writing import event_of
from flotilla_integrations.domain import EPOCH, Account, AccountState
from flotilla_integrations.events import SYNC, Synced, say_account
from flotilla_integrations.own import own
from flotilla_integrations.settings import IntegrationsSettings
from flotilla_integrations.store import accounts
from flotilla_integrations.store import calendars as store

TIMES: Final = ("starts_at", "ends_at", "all_day", "recurring", "busy", "status")


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a calendar found."""

    account: Account
    changes: Changes
    first: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server refuses the account."""

    account: Account
    reason: str


async def sync(app: App, job: Job) -> Look | Refusal | None:
    """Ask the calendar; None where it is connected no more."""
    known = await own(app).directory.find(job.payload.account_id)
    if known is None or known.adapter is None or known.account.state is not AccountState.CONNECTED:
        return None
    account = known.account
    async with app.db.transaction(job.org) as tx:
        row = await tx.fetchrow(store.POSITION, job.org, account.id, account.external_id)
        items = await tx.fetch(store.KNOWN, job.org, account.id)
    asked = ListChanges(
        token=row["token"] if row else None,
        known={item["external_id"]: item["etag"] for item in items},
        details=row is not None,
    )
    try:
        changes: Changes = await known.adapter.execute(LIST_CHANGES, asked)
    except AccountRefusedError as error:
        return Refusal(account, str(error))
    return Look(account, changes, first=row is None)


async def synced(tx: Transaction, job: Job, result: Look | Refusal | None) -> None:
    """Tell of what others changed, remember how far it was read, and come back."""
    if isinstance(result, Refusal):
        refused = await accounts.one(tx, accounts.REFUSED, job.org, result.account.id, result.reason)
        if refused is not None:
            await say_account(tx, refused, IntegrationFailed)
        return
    if result is None:
        return
    tx.caused_by(Cause.fresh("service:integrations"))
    await _keep(tx, result)
    collection, token = result.account.external_id, result.changes.token
    await tx.execute(store.SAVE_POSITION, job.org, result.account.id, collection, token)
    _come_back(tx, job)


async def not_synced(tx: Transaction, job: Job, error: Exception) -> None:
    """Another time."""
    _come_back(tx, job)


def _come_back(tx: Transaction, job: Job) -> None:
    settings = tx.app.settings
    assert isinstance(settings, IntegrationsSettings)
    due_at = datetime.now(UTC) + timedelta(seconds=settings.calendar_sync_seconds)
    tx.enqueue(SYNC, job.key, job.payload, org=job.org, due_at=due_at)


async def _keep(tx: Transaction, look: Look) -> None:
    account, items = look.account, _items(look)
    if not items:
        return
    org = account.organization_id
    rows = await tx.fetch(store.BEFORE, org, sorted(items))
    before = {row["id"]: row for row in rows}
    sequences = await store.keep(tx, org, account.id, items)
    if look.first:
        return
    named = {id_: event_of(item.get("uid") or _uid_in(item["external_id"])) for id_, item in items.items()}
    events = [event for event in named.values() if event is not None]
    ours = {row["id"]: row for row in await tx.fetch(store.OURS, org, account.id, events)}
    for id_, item in items.items():
        standing = ours.get(named[id_]) if named[id_] else None
        if standing is None or not _as_we_left_it(item, standing):
            event = _changed(account, id_, item, before.get(id_), standing)
            tx.emit(event, org=org, sequence=sequences[id_], audience=_audience(account))


def _items(look: Look) -> dict[UUID, dict[str, Any]]:
    """What is written of each item, by its id."""
    there = {
        each.external_id: {**msgspec.structs.asdict(each), "present": True} for each in look.changes.there
    }
    gone = {
        external_id: {**msgspec.structs.asdict(Item(external_id=external_id, etag="")), "present": False}
        for external_id in look.changes.gone
    }
    name = str(look.account.id)
    return {derived_id(EPOCH, "calendar", name, each): item for each, item in (there | gone).items()}


def _uid_in(external_id: str) -> str:
    """Of what is gone only the address is left, and ours are made of the uid."""
    return external_id.rsplit("/", 1)[-1].removesuffix(".ics")


def _as_we_left_it(item: Mapping[str, Any], standing: Row) -> bool:
    if not item["present"]:
        return standing["state"] in ("deleting", "deleted", "failed")
    times = (item["starts_at"], item["ends_at"], item["status"])
    return times == (standing["starts_at"], standing["ends_at"], "confirmed")


def _changed(
    account: Account, id_: UUID, item: Mapping[str, Any], before: Row | None, standing: Row | None
) -> CalendarEventChanged:
    was_there = before is not None and before["present"]
    what = "deleted" if not item["present"] else "updated" if was_there else "created"
    now = before if before is not None and not item["present"] else item
    changed = (
        {name: [before[name], item[name]] for name in TIMES if before[name] != item[name]}
        if before is not None and what == "updated"
        else {}
    )
    return CalendarEventChanged(
        item_id=id_,
        account_id=account.id,
        user_id=account.user_id,
        external_id=item["external_id"],
        event_id=standing["id"] if standing else None,
        booking_id=standing["booking_id"] if standing else None,
        what=what,
        changed=changed,
        **{name: now[name] for name in TIMES},
    )


def _audience(account: Account) -> str | None:
    return f"user:{account.user_id}" if account.user_id is not None else None


sync_job: Final = JobKind(
    SYNC, Synced, sync, synced, not_synced, lease=timedelta(minutes=3), attempts=3, concurrency=4
)
