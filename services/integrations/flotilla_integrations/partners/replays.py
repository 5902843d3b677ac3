"""Delivering again: what a subscription wants of the window, from a position on, page by page.

Each page is found outside the transaction that writes its deliveries and asks for the next, so that a replay goes on
where it was, whatever dies.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.store.postgres import Transaction

from flotilla_integrations.partners import asking
from flotilla_integrations.partners.asking import REPLAY, Replay
from flotilla_integrations.partners.offer import expand
from flotilla_integrations.partners.store import deliveries, subscriptions, window

log = structlog.get_logger()

PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Found:
    """The deliveries of a page, and after which position the next begins; None where it was the last."""

    new: list[deliveries.New]
    after: int | None


async def perform(app: App, job: Job) -> Found:
    """Read a page of the window, and what of it the subscription wants now."""
    wanted: Replay = job.payload
    async with app.db.transaction(job.org) as tx:
        subscription = await subscriptions.one(tx, subscriptions.READ, job.org, wanted.subscription_id)
        if subscription is None:
            return Found([], None)
        types = sorted(expand(subscription.types))
        rows = await window.page(tx, job.org, wanted.after, wanted.until, types, PAGE)
    new = [
        deliveries.New(job.org, subscription.id, row["id"], row["type"], row["position"], wanted.run)
        for row in rows
        if subscription.wants(msgspec.json.decode(row["body"]))
    ]
    return Found(new, rows[-1]["position"] if len(rows) == PAGE else None)


async def finish(tx: Transaction, job: Job, found: Found) -> None:
    """Have the page delivered and the next one found."""
    wanted: Replay = job.payload
    if found.new:
        await deliveries.add(tx, found.new)
        asking.take_turn(tx, job.org, wanted.subscription_id)
    if found.after is not None:
        asking.replay(tx, job.org, msgspec.structs.replace(wanted, after=found.after))


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """It goes on in a while: nothing outside is asked here, so only our own stores can be away."""
    log.error("partner.replay_failed", org=str(job.org), key=job.key, exc_info=error)
    asking.replay(tx, job.org, job.payload)


replay_job = JobKind(
    REPLAY, Replay, perform, finish, give_up, lease=timedelta(seconds=60), attempts=10, concurrency=2
)
