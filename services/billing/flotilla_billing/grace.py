"""The time in which what is owed may still come: owners are reminded, and nothing is taken from anybody."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_billing.allowing import Why
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import Subscription
from flotilla_billing.store import dunning as store

DUNNING: Final = "dunning"
GRACE: Final = timedelta(days=14)
REMIND_AFTER: Final = (timedelta(0), timedelta(days=3), timedelta(days=7), timedelta(days=12))
"""The first at once; after the last comes the downgrade, with the end of the grace."""
_STEPS: Final = len(REMIND_AFTER) + 1


class Step(msgspec.Struct, frozen=True):
    """A reminder, or past the last of them the downgrade, of one grace."""

    grace_ends_at: datetime
    number: int


async def begin(tx: Transaction, subscription: Subscription, cause: Why) -> None:
    """Money is owed from now on: tell the owners, remind them, and set the end."""
    org, ends_at = subscription.organization_id, subscription.grace_ends_at
    assert ends_at is not None
    began = ends_at - GRACE
    for number, after in enumerate((*REMIND_AFTER, GRACE)):
        if number > 0:
            step = Step(ends_at, number)
            tx.set_timer(DUNNING, _key(org, number), began + after, step, org=org, cause=cause)
    await remind(tx, subscription, 0, cause)


async def end(tx: Transaction, org: UUID) -> None:
    """Nothing is owed any more."""
    await store.forget(tx, org)
    for number in range(1, _STEPS):
        tx.cancel_timer(DUNNING, _key(org, number))


def is_last(step: Step) -> bool:
    """Whether the grace ends with it."""
    return step.number == _STEPS - 1


async def remind(tx: Transaction, subscription: Subscription, number: int, cause: Why) -> None:
    """Tell the owners what is owed and until when."""
    ends_at = subscription.grace_ends_at
    assert ends_at is not None
    plan, until = plans().plans[subscription.plan].title, f"{ends_at:%Y-%m-%d}"
    await tell_owners(
        tx,
        subscription,
        kind="billing.payment_failed",
        title="A payment did not come through",
        text=f"The {plan} plan could not be charged. Pay by {until}, or the organization falls back to the free plan.",
        params={"plan": plan, "until": until},
        name=f"{ends_at.isoformat()}:{number}",
        cause=cause,
    )


async def tell_owners(
    tx: Transaction,
    subscription: Subscription,
    *,
    kind: str,
    title: str,
    text: str,
    params: dict[str, str],
    name: str,
    cause: Why,
) -> None:
    """Have each owner told, once under `name` however often this runs."""
    org = subscription.organization_id
    for user_id in await store.owners(tx, org):
        id_ = derived_id(subscription.created_at, "notification", kind, str(org), str(user_id), name)
        wish = NotificationRequested(
            notification_id=id_,
            user_id=user_id,
            kind=kind,
            title=title,
            text=text,
            link="/billing",
            params=params,
        )
        tx.emit(wish, org=org, sequence=1, cause=_asking(cause, id_), audience=f"user:{user_id}")


def _asking(cause: Why, request_id: UUID) -> Cause:
    known = cause.cause if isinstance(cause, Received) else cause
    return replace(known or Cause.fresh("service:billing"), request_id=request_id)


def _key(org: UUID, number: int) -> str:
    return f"{org}:{number}"
