"""/v1/partner-subscriptions."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from flotilla.app import App
from flotilla.bus.connection import BROKER_ERRORS
from flotilla.http import (
    ConflictError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnavailableError,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
)
from flotilla.http.routes import PEOPLE
from flotilla.http.sorting import ByTimeOrName
from flotilla.http.work import RequestWork
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction

from flotilla_integrations.own import own
from flotilla_integrations.partners import commands
from flotilla_integrations.partners.api import showing
from flotilla_integrations.partners.checking import check
from flotilla_integrations.partners.domain import Health, State, Subscription
from flotilla_integrations.partners.offer import expand
from flotilla_integrations.partners.own import partner_settings
from flotilla_integrations.partners.schemas import (
    DeliveryOut,
    ReplayIn,
    ReplayOut,
    SubscriptionIn,
    SubscriptionMade,
    SubscriptionOut,
    SubscriptionPatch,
    WindowOut,
)
from flotilla_integrations.partners.store import deliveries, subscriptions, window

routes = Routes("/v1/partner-subscriptions", tag="partners")
ORDERS = {**BY_TIME, **BY_NAME}

CHECKED: Final = ("kind", "types", "filters", "personal_data", "url")


@routes.post("", permission="partners:write", recent=PEOPLE, status_code=201)
async def create_partner_subscription(
    wanted: SubscriptionIn, work: Work, response: Response
) -> SubscriptionMade:
    """Subscribe a partner's program. It is told of every event from before this is answered.

    The secret is in this answer, and never again.
    """
    values = wanted.model_dump()
    check(values, work.who, partner_settings(work.app.settings))
    await _bind(work.app, wanted.types)
    tx = await work.begin()
    values["org_wide"] = work.who.sees_everything
    made, secret = await commands.create(tx, work.who.org, values)
    response.headers["Location"] = f"/v1/partner-subscriptions/{made.id}"
    return showing.with_secret(work.app, made, secret, response)


@routes.get("", permission="partners:read")
async def list_partner_subscriptions(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[SubscriptionOut]:
    """The organization's subscriptions, newest first, or in the order of `sort`."""
    order = ORDERS[sort]
    found = await subscriptions.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    read = query.page(found, sort, order)
    health = await subscriptions.health(tx, who.org, [each.id for each in read.items])
    items = [showing.out(tx.app, each, health.get(each.id, Health())) for each in read.items]
    return Page(items=items, next_cursor=read.next_cursor)


@routes.get("/window", permission="partners:read")
async def read_partner_window(tx: Tx, who: Who) -> WindowOut:
    """Which positions can be delivered again: a week of what somebody subscribed to."""
    extent = await window.extent(tx, who.org)
    return WindowOut(oldest_position=extent.oldest, last_position=extent.last)


@routes.get("/{subscription_id}", permission="partners:read")
async def read_partner_subscription(
    subscription_id: UUID, tx: Tx, who: Who, response: Response
) -> SubscriptionOut:
    """One subscription; its ETag guards changes."""
    return await showing.shown(tx, await showing.read(tx, who.org, subscription_id), response)


@routes.patch("/{subscription_id}", permission="partners:write", recent=PEOPLE)
async def change_partner_subscription(
    subscription_id: UUID, change: SubscriptionPatch, work: Work, request: Request, response: Response
) -> SubscriptionOut:
    """Change it; what failed before is tried again at once."""
    values = change.model_dump(exclude_none=True)
    if change.types is not None:
        await _bind(work.app, [pattern for pattern in change.types if expand([pattern])])
    tx, before = await _held(work, subscription_id, request)
    wanted = {name: values.get(name, getattr(before, name)) for name in CHECKED}
    check(wanted, work.who, partner_settings(work.app.settings))
    return await showing.shown(tx, await commands.change(tx, before, values), response)


@routes.delete("/{subscription_id}", permission="partners:write", recent=False, status_code=204)
async def delete_partner_subscription(subscription_id: UUID, work: Work, request: Request) -> None:
    """Remove it: nothing more is delivered, and its queue and secrets go."""
    tx, before = await _held(work, subscription_id, request)
    await commands.delete(tx, before)


@routes.post("/{subscription_id}/pause", permission="partners:write", recent=False)
async def pause_partner_subscription(
    subscription_id: UUID, work: Work, request: Request, response: Response
) -> SubscriptionOut:
    """Deliver nothing until it is resumed; what happens is kept for a week."""
    tx, before = await _held(work, subscription_id, request)
    return await showing.shown(tx, await commands.pause(tx, before), response)


@routes.post("/{subscription_id}/resume", permission="partners:write", recent=False)
async def resume_partner_subscription(
    subscription_id: UUID, work: Work, request: Request, response: Response
) -> SubscriptionOut:
    """Go on where it was paused. One that was disabled goes on too; what happened since then can't be had."""
    await _bind_again(work, subscription_id)
    tx, before = await _held(work, subscription_id, request)
    return await showing.shown(tx, await commands.resume(tx, before), response)


@routes.post("/{subscription_id}/rotate-secret", permission="partners:write", recent=PEOPLE)
async def rotate_partner_secret(
    subscription_id: UUID, work: Work, request: Request, response: Response
) -> SubscriptionMade:
    """A new secret, in this answer and never again. Webhooks carry a signature by the old one too for 24 hours; the
    password of a queue changes within moments."""
    tx, before = await _held(work, subscription_id, request)
    after, secret = await commands.rotate(tx, before)
    return showing.with_secret(work.app, after, secret, response)


@routes.post("/{subscription_id}/test", permission="partners:write", recent=False, status_code=202)
async def send_test_event(subscription_id: UUID, work: Work) -> DeliveryOut:
    """Deliver an event that tells of this subscription, to it alone; its position is none."""
    tx = await work.begin()
    to = _active(await showing.lock(tx, work.who.org, subscription_id))
    id_ = await commands.send_test(tx, to, work.cause)
    return await _delivery(tx, to, id_)


@routes.post(
    "/{subscription_id}/replay", permission="partners:write", recent=False, limit="dear", status_code=202
)
async def replay_to_partner(subscription_id: UUID, wanted: ReplayIn, work: Work) -> ReplayOut:
    """Deliver again, under the same ids, what it wants from a position or a moment on."""
    tx = await work.begin()
    to = await showing.lock(tx, work.who.org, subscription_id)
    asked = await commands.replay(tx, to, await _first(tx, to, wanted))
    return ReplayOut(run=asked.run, from_position=asked.after + 1, until_position=asked.until)


async def _first(tx: Transaction, to: Subscription, wanted: ReplayIn) -> int:
    if (wanted.from_position is None) == (wanted.from_time is None):
        raise UnprocessableError(
            "Say from where.", errors=[{"pointer": "", "detail": "from_position or from_time, not both"}]
        )
    extent = await window.extent(tx, to.organization_id)
    if wanted.from_time is not None:
        first = await window.kept_since(tx, to.organization_id, wanted.from_time)
        return extent.last + 1 if first is None else first
    assert wanted.from_position is not None
    if wanted.from_position < extent.oldest:
        raise UnprocessableError(
            f"The oldest position that is kept is {extent.oldest}.",
            errors=[{"pointer": "/from_position", "detail": "not kept any more"}],
        )
    return min(wanted.from_position, extent.last + 1)


async def _held(
    work: RequestWork, subscription_id: UUID, request: Request
) -> tuple[Transaction, Subscription]:
    tx = await work.begin()
    before = await showing.lock(tx, work.who.org, subscription_id)
    check_if_match(request, before.sequence)
    return tx, before


def _active(subscription: Subscription) -> Subscription:
    if subscription.state is not State.ACTIVE:
        raise ConflictError(f"It is {subscription.state}: it would not be delivered.")
    return subscription


async def _delivery(tx: Transaction, to: Subscription, delivery_id: UUID) -> DeliveryOut:
    row = await tx.fetchrow(deliveries.READ, to.organization_id, to.id, delivery_id)
    return DeliveryOut.model_validate(dict(row or {}))


async def _bind_again(work: RequestWork, subscription_id: UUID) -> None:
    """A disabled one is not listened for."""
    async with work.app.db.transaction(work.who.org) as reading:
        known: Any = await subscriptions.one(reading, subscriptions.READ, work.who.org, subscription_id)
    await _bind(work.app, showing.found(known).types)


async def _bind(app: App, types: Sequence[str]) -> None:
    """Before the commit: no event shall be missed after it."""
    try:
        await own(app).partners.bound.bind(expand(types))
    except BROKER_ERRORS:
        raise UnavailableError(
            "The broker is away; repeat the request.", headers={"Retry-After": "2"}
        ) from None
