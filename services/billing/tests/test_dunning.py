"""Money that does not come: grace, reminders, downgrade; and what comes in between, whatever is told when."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import UserCreated, UserUpdated
from flotilla.events.billing import (
    EntitlementChanged,
    SubscriptionCreated,
    SubscriptionRequested,
    SubscriptionUpdated,
)
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_billing.domain.plans import plans

from services.billing.tests.conftest import PLATFORM_SECRET, StripeMock, organization
from services.billing.tests.test_stripe import NOW, _event, _subscription, _tell, subscriber

__all__ = ["subscriber"]


def _invoice(org: UUID, number: int = 1) -> dict[str, Any]:
    """Stripe's, for the organization's subscription."""
    details = {"subscription": f"sub_{org.hex}", "metadata": {"organization_id": str(org)}}
    return {"id": f"in_{org.hex}_{number}", "parent": {"subscription_details": details}}


async def _say(harness: Harness, type_: str, told: dict[str, Any], at: int, id_: str | None = None) -> str:
    answer = await _tell(harness, PLATFORM_ORG, _event(type_, told, NOW + at, id_), PLATFORM_SECRET)
    assert answer.status == 200, answer.body
    outcome: str = answer.json()["outcome"]
    return outcome


async def _shown(harness: Harness, org: UUID) -> dict[str, Any]:
    shown: dict[str, Any] = (await harness.client(org).get("/v1/subscription")).json()
    return shown


@pytest.fixture
async def paying(selling: Harness, subscriber: UUID, stripe_mock: StripeMock) -> AsyncIterator[UUID]:
    """An organization on Pro, paid through Stripe, with an owner."""
    await _say(selling, "customer.subscription.created", _subscription(subscriber), 0)
    yield subscriber
    stripe_mock.said.clear()


async def _owned(harness: Harness, org: UUID) -> UUID:
    owner, former = new_id(), new_id()
    for user_id, role, sequence in ((owner, "owner", 1), (former, "viewer", 2), (former, "owner", 1)):
        kind = UserCreated if sequence == 1 else UserUpdated
        told = kind(user_id=user_id, email=None, name=None, role=role, locale="en", state="active")
        await harness.publish(told, org=org, sequence=sequence)

    async def known() -> bool:
        async with harness.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) = 2 FROM owners"))

    await eventually(known)
    return owner


async def _comes(harness: Harness, org: UUID, number: int) -> None:
    """The time of a reminder, or of the downgrade, comes."""
    await harness.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE kind = 'dunning' AND organization_id = $1 AND key = $2",
        org,
        f"{org}:{number}",
    )


async def _reminded(harness: Harness, org: UUID, times: int) -> None:
    async def told() -> bool:
        return len(harness.spy.of(NotificationRequested, org)) == times

    await eventually(told, what="the owners are reminded")


async def test_a_failed_payment_begins_one_grace_and_reminds_the_owners(
    selling: Harness, paying: UUID
) -> None:
    owner = await _owned(selling, paying)
    failed = _invoice(paying)
    assert await _say(selling, "invoice.payment_failed", failed, 10, "evt_again") == "taken"
    assert await _say(selling, "invoice.payment_failed", failed, 10, "evt_again") == "known"
    await _say(selling, "invoice.payment_failed", failed, 90)  # Stripe tried again
    await _say(selling, "customer.subscription.updated", _subscription(paying, status="past_due"), 91)
    shown = await _shown(selling, paying)
    assert (shown["plan"], shown["state"]) == ("pro", "past_due")
    grace = datetime.fromisoformat(shown["grace_ends_at"]) - datetime.now(UTC)
    assert timedelta(days=13) < grace <= timedelta(days=14)
    told = await selling.spy.expect(
        SubscriptionUpdated, lambda event: event.org == paying and event.data.state == "past_due"
    )
    assert told.data.grace_ends_at is not None
    first = await selling.spy.expect(NotificationRequested, lambda event: event.org == paying)
    assert (first.data.user_id, first.data.kind) == (owner, "billing.payment_failed")
    assert first.envelope.requestid == first.data.notification_id
    assert first.envelope.audience == f"user:{owner}"
    for number in (1, 2):
        await _comes(selling, paying, number)
        await _reminded(selling, paying, number + 1)
    reminders = selling.spy.of(NotificationRequested, paying)
    assert {event.data.user_id for event in reminders} == {owner}, "nobody else"
    assert len({event.data.notification_id for event in reminders}) == 3
    states = [event.data.state for event in selling.spy.of(SubscriptionUpdated, paying)]
    assert states.count("past_due") <= 2, "the period may be told of once more, the grace is one"


async def test_what_is_paid_in_between_restores_whatever_comes_late(selling: Harness, paying: UUID) -> None:
    first, second = _invoice(paying, 1), _invoice(paying, 2)
    await _say(selling, "invoice.payment_failed", first, 10)
    await _say(selling, "invoice.payment_failed", second, 20)
    await _say(selling, "invoice.paid", first, 30)
    assert (await _shown(selling, paying))["state"] == "past_due", "the second is owed still"
    await _say(selling, "invoice.paid", second, 40)
    restored = await _shown(selling, paying)
    assert (restored["plan"], restored["state"], restored["grace_ends_at"]) == ("pro", "active", None)
    for at in (15, 50):
        await _say(selling, "invoice.payment_failed", first, at)
        assert (await _shown(selling, paying))["state"] == "active", "what was paid is not owed again"
    left = await selling.app.db.fetchval(
        "SELECT count(*) FROM jobs WHERE kind = 'dunning' AND organization_id = $1", paying
    )
    assert left == 0


async def test_paid_before_it_failed_is_paid(selling: Harness, paying: UUID) -> None:
    await _say(selling, "invoice.paid", _invoice(paying), 40)
    await _say(selling, "invoice.payment_failed", _invoice(paying), 30)
    assert (await _shown(selling, paying))["state"] == "active"
    foreign = _invoice(paying, 9)
    foreign["parent"]["subscription_details"]["subscription"] = "sub_of_before"
    await _say(selling, "invoice.payment_failed", foreign, 50)
    assert (await _shown(selling, paying))["state"] == "active", (
        "nobody loses a plan by an earlier subscription"
    )


async def test_after_the_grace_comes_the_free_plan(
    selling: Harness, paying: UUID, stripe_mock: StripeMock
) -> None:
    owner = await _owned(selling, paying)
    await _say(selling, "invoice.payment_failed", _invoice(paying), 10)
    stripe_mock.said[f"/v1/subscriptions/sub_{paying.hex}"] = {
        "id": f"sub_{paying.hex}",
        "status": "past_due",
    }
    await _comes(selling, paying, 4)
    told = await selling.spy.expect(
        SubscriptionUpdated, lambda event: event.org == paying and event.data.plan == "free"
    )
    assert (told.data.state, told.data.provider, told.data.changed["plan"]) == (
        "active",
        "local",
        ["pro", "free"],
    )
    await selling.spy.expect(
        EntitlementChanged,
        lambda event: (event.org, event.data.feature, event.data.enabled) == (paying, "kyb", False),
    )
    lost = await selling.spy.expect(
        NotificationRequested, lambda event: (event.org, event.data.kind) == (paying, "billing.downgraded")
    )
    assert lost.data.user_id == owner

    async def ended() -> bool:
        return any(
            call.path == f"/v1/subscriptions/sub_{paying.hex}"
            and (call.idempotency_key or "").startswith("end:")
            for call in stripe_mock.calls
        )

    await eventually(ended, what="Stripe was asked to end it")
    late = _subscription(paying, status="past_due")
    await _say(selling, "customer.subscription.updated", late, 98)
    assert (await _shown(selling, paying))["plan"] == "free"
    deleted = _subscription(paying, status="canceled")
    await _say(selling, "customer.subscription.deleted", deleted, 99)
    await _say(selling, "invoice.payment_failed", _invoice(paying), 100)
    shown = await _shown(selling, paying)
    assert (shown["plan"], shown["state"]) == ("free", "active")


async def test_paid_in_the_last_moment(selling: Harness, paying: UUID, stripe_mock: StripeMock) -> None:
    await _say(selling, "invoice.payment_failed", _invoice(paying), 10)
    active = _subscription(paying)
    stripe_mock.said[f"/v1/subscriptions/sub_{paying.hex}"] = active
    await _comes(selling, paying, 4)
    await selling.spy.expect(
        SubscriptionUpdated,
        lambda event: event.org == paying and event.data.changed.get("plan") == ["free", "pro"],
    )
    assert (await _shown(selling, paying))["state"] == "active"


@pytest.fixture(scope="session")
async def charging(start_service: StartService) -> AsyncIterator[Harness]:
    """A billing that takes the price of local plans from balances."""
    async with start_service("billing", charge_local_plans=True) as harness:
        yield harness


async def _month_ends(harness: Harness, org: UUID) -> None:
    await harness.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE kind = 'renew_plan' AND organization_id = $1", org
    )


async def _until(client: Client, **wanted: str) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        shown: dict[str, Any] = (await client.get("/v1/subscription")).json()
        return shown if shown.items() >= wanted.items() else None

    found = await eventually(reached, what=f"it is {wanted}")
    assert found is not None
    return found


async def test_a_local_plan_is_paid_from_the_balance_or_owed(charging: Harness, org: UUID) -> None:
    await charging.publish(organization(org), org=org, sequence=1)
    await charging.publish(SubscriptionRequested(request_id=new_id()), org=org, sequence=1)
    await charging.spy.expect(SubscriptionCreated, lambda event: event.org == org)
    owner, price = charging.client(org), plans().plans["pro"].price.amount_minor
    began = (await owner.put("/v1/subscription", {"plan": "pro"})).json()
    await _month_ends(charging, org)
    owed = await _until(owner, state="past_due")
    assert owed["period_started_at"] == began["period_ends_at"]
    assert (await owner.put("/v1/subscription", {"plan": "enterprise"})).status == 409
    part = {"amount": {"amount_minor": price - 1, "currency": "EUR"}}
    await owner.post("/v1/wallet/top-ups", part)
    assert (await _until(owner))["state"] == "past_due", "not enough"
    await owner.post("/v1/wallet/top-ups", {"amount": {"amount_minor": price + 1, "currency": "EUR"}})
    await _until(owner, state="active")
    balances = (await owner.get("/v1/wallet")).json()["balances"]
    assert balances == [{"amount_minor": price, "currency": "EUR"}]
    await _month_ends(charging, org)
    await _until(owner, state="active", period_started_at=owed["period_ends_at"])
    assert (await owner.get("/v1/wallet")).json()["balances"][0]["amount_minor"] == 0
    kinds = [each["kind"] for each in (await owner.get("/v1/wallet/entries")).json()["items"]]
    assert sorted(kinds) == ["plan", "plan", "top_up", "top_up"]
