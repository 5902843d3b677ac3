"""What plans have organizations keep at most (billing's `history_days`): told in time, before anything goes.

A shorter bound holds after thirty days: owners are told at once and a week before, and `retention.changed` says from
when on. Who takes a longer one meanwhile loses nothing. A feature that is not to be had bounds nothing: what is said by
mistake must not delete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind, reaction
from flotilla.bus.envelope import Received
from flotilla.events.billing import EntitlementChanged
from flotilla.events.websocket import NotificationRequested
from flotilla.features import HISTORY_DAYS
from flotilla.ids import time_of
from flotilla.store.postgres import Transaction

from flotilla_auth import retention
from flotilla_auth.onboarding import LANE
from flotilla_auth.retention import Why
from flotilla_auth.store import retention as store
from flotilla_auth.store.retention import Retention

GRACE: Final = timedelta(days=30)
AGAIN: Final = timedelta(days=7)
"""Before the bound holds, owners are told once more."""
REMIND: Final = "retention_bound"
NOTICE: Final = "privacy.retention_bounded"


class Bound(msgspec.Struct, frozen=True):
    """Which word of billing's a reminder is about."""

    sequence: int


@reaction(EntitlementChanged, lane=LANE)
async def heed_plans(tx: Transaction, batch: Sequence[Received[EntitlementChanged]]) -> None:
    """Bound what organizations keep, and tell everybody."""
    told = sorted(
        (event for event in batch if event.data.feature == HISTORY_DAYS), key=lambda event: event.sequence
    )
    newest = {event.org: event for event in told}
    if not newest:
        return
    before = {each.organization_id: each for each in await store.make(tx, sorted(newest))}
    wanted = [
        bounded(each, newest[org].data.limit if newest[org].data.enabled else None, newest[org])
        for org, each in before.items()
        if newest[org].sequence > each.bound_sequence
    ]
    shorter = []
    for now in await store.bind(tx, wanted) if wanted else ():
        org = now.organization_id
        if (now.bound_days, now.bound_from) != (before[org].bound_days, before[org].bound_from):
            retention.tell(tx, now, before[org], newest[org])
        if _may_lose(now, before[org], newest[org].envelope.time):
            shorter.append(now)
    await _warn(tx, shorter, newest)


def bounded(before: Retention, days: int | None, event: Received[EntitlementChanged]) -> Retention:
    """With a bound of so many days; a shorter one holds after the grace, a longer one as its predecessor did."""
    now, said = event.envelope.time, replace(before, bound_sequence=event.sequence)
    if days is None:
        return replace(said, bound_days=None, bound_from=None)
    if before.bound_days is not None and days >= before.bound_days:
        return replace(said, bound_days=days)
    return replace(said, bound_days=days, bound_from=now + GRACE)


def _may_lose(now: Retention, before: Retention, at: datetime) -> bool:
    """Whether the bound is shorter, and the organization old enough to have something beyond it one day soon."""
    if now.bound_days is None or (before.bound_days is not None and now.bound_days >= before.bound_days):
        return False
    founded = time_of(now.organization_id)
    return before.bound_sequence > 0 or at + GRACE - founded > timedelta(days=now.bound_days)


async def _warn(tx: Transaction, shorter: Sequence[Retention], causes: Mapping[UUID, Why]) -> None:
    """Owners now, and once more before anything goes."""
    await _tell_owners(tx, shorter, causes)
    for each in shorter:
        assert each.bound_from is not None
        org = each.organization_id
        due = each.bound_from - AGAIN
        tx.set_timer(REMIND, str(org), due, Bound(each.bound_sequence), org=org, cause=causes[org])


async def _tell_owners(tx: Transaction, bounds: Sequence[Retention], causes: Mapping[UUID, Why]) -> None:
    by_org = {each.organization_id: each for each in bounds}
    for org, owner in await store.owners(tx, sorted(by_org)) if by_org else ():
        each, id_ = by_org[org], tx.app.new_id()
        assert each.bound_from is not None
        day = each.bound_from.date().isoformat()
        notification = NotificationRequested(
            notification_id=id_,
            user_id=owner,
            kind=NOTICE,
            title=f"From {day} on, conversations are kept for {each.bound_days} days",
            text=f"Your plan keeps messages, files, calls, notes, outreach and survey answers for {each.bound_days}"
            f" days. What is older goes from {day} on, unless you change your plan or set a legal hold before."
            " You can export it until then.",
            link="/settings/retention",
            params={"days": str(each.bound_days), "from": day},
        )
        tx.emit(notification, org=org, sequence=1, cause=causes[org], audience=f"user:{owner}")


async def _remind(tx: Transaction, job: Job) -> None:
    """Still the same bound: say it again."""
    now = await store.read(tx, job.org)
    if now.bound_sequence == job.payload.sequence and now.bound_days is not None:
        await _tell_owners(tx, [now], {job.org: job.cause})


reminder: Final = TimerKind(REMIND, Bound, _remind)
