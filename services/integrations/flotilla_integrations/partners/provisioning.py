"""Making and removing partners' queues: a leased job that has the broker be as the subscription says.

One at a time for each subscription, so that what is removed is not made again by one that began before.
"""

from datetime import UTC, datetime, timedelta

import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.store.postgres import Transaction

from flotilla_integrations.own import own
from flotilla_integrations.partners import asking, secrets
from flotilla_integrations.partners.asking import PROVISION, Provision
from flotilla_integrations.partners.domain import State, Subscription
from flotilla_integrations.partners.store import subscriptions

log = structlog.get_logger()


async def perform(app: App, job: Job) -> Subscription | None:
    """Make the queue and its user, or remove them: the subscription as it was then."""
    wanted: Provision = job.payload
    queues = own(app).partners.broker
    async with app.db.transaction(job.org) as tx:
        subscription = await subscriptions.one(tx, subscriptions.READ_ANY, job.org, wanted.subscription_id)
    if subscription is None:
        return None
    if subscription.state is State.DELETED:
        await queues.remove(subscription.id)
    else:
        assert subscription.sealed is not None
        kept = secrets.unseal(app.keyring, subscription.id, subscription.sealed)
        assert kept.password_hash is not None
        await queues.ensure(subscription.id, kept.password_hash)
    return subscription


async def finish(tx: Transaction, job: Job, was: Subscription | None) -> None:
    """It is ready; where the subscription has changed meanwhile, once more."""
    if was is None:
        return
    now = await subscriptions.one(tx, subscriptions.READ_ANY, job.org, was.id)
    assert now is not None
    if now.sequence != was.sequence:
        asking.provision(tx, job.org, was.id)
    elif was.state is State.PREPARING:
        asking.rule_ready(tx, was)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """The broker was away for long: another try in a while, for as long as it takes."""
    wanted: Provision = job.payload
    log.error(
        "partner.unprepared", org=str(job.org), subscription_id=str(wanted.subscription_id), exc_info=error
    )
    asking.provision(tx, job.org, wanted.subscription_id, datetime.now(UTC) + timedelta(minutes=1))


provision_job = JobKind(
    PROVISION, Provision, perform, finish, give_up, lease=timedelta(seconds=60), attempts=6
)
