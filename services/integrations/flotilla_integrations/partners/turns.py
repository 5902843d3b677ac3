"""Turns: what is due of one subscription goes out, a leased turn at a time.

A process that dies between sending and writing it down leaves a lease that runs out; the next turn sends the same
again, with the same id. A dead endpoint holds up nobody: its turn ends after a few failures, and it is given a rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.store.postgres import Transaction
from prometheus_client import Counter

from flotilla_integrations.own import own
from flotilla_integrations.partners import asking, broker, secrets, webhook
from flotilla_integrations.partners.asking import TURN, Turn
from flotilla_integrations.partners.domain import (
    Attempt,
    Health,
    Kind,
    Letter,
    State,
    Subscription,
    next_attempt,
    verdict,
)
from flotilla_integrations.partners.own import partner_settings
from flotilla_integrations.partners.redaction import redact
from flotilla_integrations.partners.store import deliveries, subscriptions

log = structlog.get_logger()

LETTERS: Final = {Kind.AMQP: 500, Kind.WEBHOOK: 64}
"""At most in a turn."""
DELIVERIES: Final = Counter(
    "flotilla_partner_deliveries_total", "Partners' deliveries tried", ["kind", "outcome"]
)
RULED: Final = timedelta(seconds=5)
"""How long no other turn is taken once enough was tried: the ruling, which comes at once, ends them."""
EXPIRED: Final = "The event had left the window before it could be delivered."


@dataclass(frozen=True, slots=True)
class Done:
    """What a turn did."""

    subscription: Subscription
    attempts: Sequence[Attempt]
    expired: Sequence[Letter]


async def perform(app: App, job: Job) -> Done | None:
    """Send what is due, unless it rests; None where the subscription is not active."""
    turn: Turn = job.payload
    async with app.db.transaction(job.org) as tx:
        subscription = await subscriptions.one(tx, subscriptions.READ, job.org, turn.subscription_id)
        if subscription is None or subscription.state is not State.ACTIVE:
            return None
        health = await _health(tx, subscription)
        if health.rest_until is not None and health.rest_until > datetime.now(UTC):
            return Done(subscription, (), ())
        # After a failure one letter is enough to find out whether it would take more.
        limit = 1 if health.failures else LETTERS[subscription.kind]
        await deliveries.hasten(tx, subscription)
        due = await deliveries.due(tx, job.org, subscription.id, limit)
    letters = [(each, _body(subscription, each.body)) for each in due if each.body is not None]
    attempts = await _send(app, subscription, letters) if letters else []
    return Done(subscription, attempts, [each for each in due if each.body is None])


async def _health(tx: Transaction, subscription: Subscription) -> Health:
    known = await subscriptions.health(tx, subscription.organization_id, [subscription.id])
    return known.get(subscription.id, Health()).since(subscription.updated_at)


def _body(subscription: Subscription, body: bytes) -> bytes:
    return body if subscription.personal_data else redact(body)


async def _send(
    app: App, subscription: Subscription, letters: Sequence[tuple[Letter, bytes]]
) -> Sequence[Attempt]:
    held = own(app).partners
    if subscription.kind is Kind.AMQP:
        return await _publish(held.broker, subscription, letters)
    settings = partner_settings(app.settings)
    assert subscription.url is not None
    assert subscription.sealed is not None
    endpoint = webhook.Endpoint(
        subscription.url,
        secrets.unseal(app.keyring, subscription.id, subscription.sealed),
        settings.partner_webhook_seconds,
        settings.trusts_private_addresses,
    )
    return await webhook.send(held.http, endpoint, letters)


async def _publish(
    queues: broker.Broker, subscription: Subscription, letters: Sequence[tuple[Letter, bytes]]
) -> Sequence[Attempt]:
    messages = [broker.Message(each.event_id, each.type, each.position, body) for each, body in letters]
    said = await queues.publish(subscription.id, messages)
    return [
        Attempt(letter, delivered=error is None, error=error, counts=error is None)
        for (letter, _), error in zip(letters, said, strict=True)
    ]


async def finish(tx: Transaction, job: Job, done: Done | None) -> None:
    """Write down what came of it, rule on the subscription where that is due, and see to what is due next."""
    turn: Turn = job.payload
    ruled = done is not None and bool(done.attempts or done.expired) and await _record(tx, done)
    # Read after the job's row went: whoever brought more, or resumed the subscription, waited for that row or is seen.
    at = await deliveries.next_due(tx, job.org, turn.subscription_id)
    if at is not None:
        at = max(at, datetime.now(UTC) + RULED) if ruled else at
        asking.take_turn(tx, job.org, turn.subscription_id, at)


async def _record(tx: Transaction, done: Done) -> bool:
    """Whether enough was tried of the subscription."""
    subscription, attempts = done.subscription, done.attempts
    settings = partner_settings(tx.app.settings)
    schedule, now = settings.partner_retry_seconds, datetime.now(UTC)
    org = subscription.organization_id
    results = [_result(each, schedule) for each in attempts]
    results += [
        deliveries.Result(Attempt(each, delivered=False, error=EXPIRED, counts=False), "expired", None)
        for each in done.expired
    ]
    await deliveries.record(tx, org, results)
    before = await _health(tx, subscription)
    after = before.after(attempts, now, timedelta(seconds=settings.partner_rest_seconds))
    await subscriptions.keep_health(tx, org, subscription.id, after)
    patience = timedelta(hours=settings.partner_unread_hours)
    why = verdict(subscription, attempts, after, schedule, now, patience)
    if why is not None:
        asking.rule_disabled(tx, subscription, why)
    if any(each.error in (broker.LOST, broker.AWAY) for each in attempts):
        asking.provision(tx, org, subscription.id)
    for each in attempts:
        outcome = "delivered" if each.delivered else "failed"
        tx.after_commit(DELIVERIES.labels(subscription.kind, outcome).inc)
    return why is not None


def _result(attempt: Attempt, schedule: Sequence[float]) -> deliveries.Result:
    if attempt.delivered:
        return deliveries.Result(attempt, "delivered", None)
    if not attempt.counts:  # due as it was: the subscription rests
        return deliveries.Result(attempt, "waiting", None)
    wait = next_attempt(schedule, attempt.letter.attempts + 1, attempt.retry_after)
    return deliveries.Result(attempt, "failed" if wait is None else "waiting", wait)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Turns never came to an end: their processes died, or a store was away. Another in a while."""
    turn: Turn = job.payload
    log.error(
        "partner.turns_failed", org=str(job.org), subscription_id=str(turn.subscription_id), exc_info=error
    )
    asking.take_turn(tx, job.org, turn.subscription_id, datetime.now(UTC) + timedelta(minutes=1))


turn_job = JobKind(
    TURN, Turn, perform, finish, give_up, lease=timedelta(seconds=90), attempts=10, concurrency=32
)
