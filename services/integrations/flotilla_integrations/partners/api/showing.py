"""Subscriptions as they are shown."""

from uuid import UUID

import yarl
from fastapi import Response
from flotilla.app import App
from flotilla.http import NotFoundError, set_etag
from flotilla.store.postgres import Transaction

from flotilla_integrations.own import own
from flotilla_integrations.partners.domain import Health, Kind, Subscription
from flotilla_integrations.partners.own import partner_settings
from flotilla_integrations.partners.schemas import QueueOut, SubscriptionMade, SubscriptionOut
from flotilla_integrations.partners.store import subscriptions


def found(subscription: Subscription | None) -> Subscription:
    """A 404 problem where there is none."""
    if subscription is None:
        raise NotFoundError("There is no such subscription.")
    return subscription


async def read(tx: Transaction, org: UUID, subscription_id: UUID) -> Subscription:
    """One; a 404 problem where there is none."""
    return found(await subscriptions.one(tx, subscriptions.READ, org, subscription_id))


async def lock(tx: Transaction, org: UUID, subscription_id: UUID) -> Subscription:
    """One, held until the transaction ends; a 404 problem where there is none."""
    return found(await subscriptions.one(tx, subscriptions.LOCK, org, subscription_id))


async def shown(tx: Transaction, each: Subscription, response: Response) -> SubscriptionOut:
    """With how it fares, and its ETag."""
    health = await subscriptions.health(tx, each.organization_id, [each.id])
    set_etag(response, each.sequence)
    return out(tx.app, each, health.get(each.id, Health()))


def with_secret(app: App, each: Subscription, secret: str, response: Response) -> SubscriptionMade:
    """With its secret, this once."""
    set_etag(response, each.sequence)
    response.headers["Cache-Control"] = "no-store"
    return SubscriptionMade(**out(app, each, Health()).model_dump(), secret=secret)


def out(app: App, each: Subscription, health: Health) -> SubscriptionOut:
    """From its row and how it fares."""
    said = {name: getattr(each, name) for name in SubscriptionOut.model_fields if hasattr(each, name)}
    fares = health.since(each.updated_at)
    return SubscriptionOut(
        **said,
        queue=_queue(app, each.id) if each.kind is Kind.AMQP else None,
        failing_since=fares.failing_since,
        delivered_at=fares.delivered_at,
    )


def _queue(app: App, subscription_id: UUID) -> QueueOut:
    settings = partner_settings(app.settings)
    ours = yarl.URL(settings.amqp_url.get_secret_value())
    where = own(app).partners.broker.address(subscription_id)
    return QueueOut(
        address=settings.partners_address or f"{ours.scheme}://{ours.host}:{ours.port}",
        vhost=where.vhost,
        queue=where.queue,
        username=where.username,
    )
