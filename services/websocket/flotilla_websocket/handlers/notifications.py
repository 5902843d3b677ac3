"""People whom others want told something."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.auth import User, UserCreated, UserDeactivated, UserUpdated
from flotilla.events.websocket import NotificationDelivered, NotificationFailed, NotificationRequested
from flotilla.store.postgres import Transaction

from flotilla_websocket.domain.notifications import objection
from flotilla_websocket.settings import WebsocketSettings
from flotilla_websocket.store import notifications as store

LANE: Final = "notifications"
AWAITED: Final = "notification_awaited"
EXPIRED: Final = "notifications_expired"
KEPT: Final = timedelta(days=90)
WEEK: Final = timedelta(days=7)
EXPIRED_AT_ONCE: Final = 2000
UNKNOWN: Final = "unknown_user"

Wish = Received[NotificationRequested]


class Awaited(msgspec.Struct, frozen=True):
    """A notification for somebody who was not known when it came."""

    notification_id: UUID


class Expired(msgspec.Struct, frozen=True):
    """An organization's notifications from before this have had their time."""

    before: datetime


@projection(UserCreated, UserUpdated, UserDeactivated, lane=LANE, tables=("members",))
async def keep_members(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Who may be told something."""
    await tx.execute(
        store.KEEP_MEMBERS,
        [event.org for event in batch],
        [event.data.user_id for event in batch],
        [event.data.state for event in batch],
        [event.sequence for event in batch],
    )


@reaction(NotificationRequested, lane=LANE)
async def tell_people(tx: Transaction, batch: Sequence[Wish]) -> None:
    """Put each into its person's list and say so, or say why not; one asked for again has its answer.

    Somebody unknown may be about to be heard of, as services' events overtake each other: that is waited for.
    """
    wishes = {(event.org, event.data.notification_id): event for event in batch}
    known = await store.known(tx, [(event.org, event.data.user_id) for event in wishes.values()])
    rows = {key: _row(event, known.get((event.org, event.data.user_id))) for key, event in wishes.items()}
    added = await store.add(tx, list(rows.values()))
    settings = tx.app.settings
    assert isinstance(settings, WebsocketSettings)
    for key, at in sorted(added.items()):
        event, row = wishes[key], rows[key]
        if row["state"] == "awaiting":
            due = at + timedelta(seconds=settings.unknown_person_seconds)
            tx.set_timer(
                AWAITED, f"{key[0]}:{key[1]}", due, Awaited(key[1]), org=event.org, cause=event.cause
            )
        else:
            _answer(tx, event.org, row, 1, event.cause)
        _expire_later(tx, event.org, at, event.cause)


def _row(event: Wish, member: store.Member | None) -> dict[str, Any]:
    wish = event.data
    row: dict[str, Any] = {"organization_id": event.org, "id": wish.notification_id}
    row |= {"user_id": wish.user_id, "kind": wish.kind}
    said = {"title": wish.title, "text": wish.text, "link": wish.link, "params": wish.params}
    if member is None:
        return row | said | {"state": "awaiting", "reason": None}
    reason = objection(wish.kind, wish.title, member.state, member.choices)
    if reason is not None:
        return row | {"state": "failed", "reason": reason}
    return row | said | {"state": "delivered", "reason": None}


def _answer(tx: Transaction, org: UUID, row: dict[str, Any], sequence: int, cause: Cause) -> None:
    whose = {"notification_id": row["id"], "user_id": row["user_id"], "kind": row["kind"]}
    fact: NotificationDelivered | NotificationFailed
    if row["reason"] is None:
        fact = NotificationDelivered(**whose, title=row["title"], text=row["text"], link=row["link"])
    else:
        fact = NotificationFailed(**whose, reason=row["reason"])
    asked = replace(cause, request_id=row["id"])
    tx.emit(fact, org=org, sequence=sequence, cause=asked, audience=f"user:{row['user_id']}")


async def _await_no_longer(tx: Transaction, job: Job) -> None:
    """Tell somebody who is known by now; or say that there is nobody to tell."""
    awaited: Awaited = job.payload
    row = await tx.fetchrow(store.AWAITING, job.org, awaited.notification_id)
    if row is None:
        return
    key = (job.org, row["user_id"])
    member = (await store.known(tx, [key])).get(key)
    reason = UNKNOWN if member is None else objection(row["kind"], row["title"], member.state, member.choices)
    sequence = await tx.fetchval(store.SETTLE, job.org, row["id"], reason)
    _answer(tx, job.org, {**row, "reason": reason}, sequence, job.cause)


def _expire_later(tx: Transaction, org: UUID, at: datetime, cause: Cause) -> None:
    """One timer an organization and week, whatever comes in it."""
    year, week, _ = at.isocalendar()
    over = datetime.fromisocalendar(year, week, 1).replace(tzinfo=at.tzinfo) + WEEK
    tx.set_timer(EXPIRED, f"{org}:{year}-{week}", over + KEPT, Expired(over), org=org, cause=cause)


async def _expire(tx: Transaction, job: Job) -> None:
    """Remove a part of those that have had their time; the rest a little later."""
    expired: Expired = job.payload
    done = await tx.execute(store.EXPIRE, job.org, expired.before, EXPIRED_AT_ONCE)
    if done == f"DELETE {EXPIRED_AT_ONCE}":
        again = await tx.fetchval(store.NOW)
        tx.set_timer(EXPIRED, job.key, again, expired, org=job.org, cause=job.cause)


awaited = TimerKind(AWAITED, Awaited, _await_no_longer)
expired = TimerKind(EXPIRED, Expired, _expire)
