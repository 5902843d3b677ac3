"""Stripe: against its own mock server, and its webhooks as it signs them, repeated and out of order."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
import stripe
from flotilla.events.ai import UsageRecorded
from flotilla.events.billing import (
    InvoicePaid,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    SubscriptionCancelled,
    SubscriptionRequested,
    SubscriptionUpdated,
)
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import Answer
from flotilla_billing.domain.plans import plans

from services.billing.tests.conftest import PLATFORM_SECRET, Firm, StripeMock, issued, organization

SECRET = "whsec_of_the_firm_0001"
NOW = int(time.time())


async def _tell(
    harness: Harness, owner: UUID, event: dict[str, Any], secret: str, at: int | None = None
) -> Answer:
    body = msgspec.json.encode(event)
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)
    path = f"/v1/hooks/stripe/{owner}"
    return await harness.anonymous().post(path, body=body, headers={"Stripe-Signature": header})


def _event(type_: str, told: dict[str, Any], created: int = NOW, id_: str | None = None) -> dict[str, Any]:
    return {
        "id": id_ or f"evt_{new_id().hex}",
        "object": "event",
        "type": type_,
        "created": created,
        "data": {"object": told},
    }


def _subscription(org: UUID, plan: str = "pro", status: str = "active", **fields: Any) -> dict[str, Any]:
    price = {"lookup_key": f"flotilla_{plan}_v1"}
    item = {"price": price, "current_period_start": NOW, "current_period_end": NOW + 2_592_000}
    return {
        "id": f"sub_{org.hex}",
        "object": "subscription",
        "customer": f"cus_{org.hex}",
        "status": status,
        "items": {"data": [item]},
        "metadata": {"organization_id": str(org)},
        **fields,
    }


@pytest.fixture
async def subscriber(selling: Harness, org: UUID) -> UUID:
    """An organization with its trial, where plans are sold."""
    await selling.publish(organization(org), org=org, sequence=1)
    await selling.publish(SubscriptionRequested(request_id=new_id()), org=org, sequence=1)

    async def known() -> bool:
        return (await selling.client(org).get("/v1/subscription")).status == 200

    await eventually(known, what="the organization has its trial")
    return org


async def _state(harness: Harness, org: UUID) -> tuple[str, str, str]:
    shown = (await harness.client(org).get("/v1/subscription")).json()
    return shown["plan"], shown["state"], shown["provider"]


async def _settled(harness: Harness, org: UUID, checkout: dict[str, Any]) -> dict[str, Any]:
    async def done() -> dict[str, Any] | None:
        shown: dict[str, Any] = (await harness.client(org).get(f"/v1/checkouts/{checkout['id']}")).json()
        return shown if shown["state"] != "pending" else None

    found = await eventually(done, what="Stripe was asked")
    assert found is not None
    return found


async def test_a_plan_is_paid_for_by_a_checkout(
    selling: Harness, subscriber: UUID, stripe_mock: StripeMock
) -> None:
    customer = selling.client(subscriber)
    assert (await customer.put("/v1/subscription", {"plan": "enterprise"})).status == 409
    assert (await customer.post("/v1/subscription/checkouts", {"plan": "free"})).status == 422
    asked = await customer.post("/v1/subscription/checkouts", {"plan": "pro"})
    assert (asked.status, asked.json()["state"]) == (202, "pending")
    opened = await _settled(selling, subscriber, asked.json())
    assert (opened["state"], opened["plan"]) == ("open", "pro"), opened["reason"]
    (session_call,) = stripe_mock.to("/v1/checkout/sessions", client_reference_id=str(subscriber))
    assert session_call.idempotency_key == f"checkout:{opened['id']}"
    (customer_call,) = [c for c in stripe_mock.calls if c.idempotency_key == f"customer:{subscriber}"]
    assert customer_call.form["name"] == "Northwind"
    assert stripe_mock.to("/v1/products", id="flotilla_pro", name="Flotilla Pro")
    assert stripe_mock.to("/v1/prices", lookup_key="flotilla_pro_v1", unit_amount="9900")
    assert stripe_mock.to("/v1/prices", lookup_key="flotilla_pro_v1_ai_tokens")
    assert stripe_mock.to("/v1/billing/meters", event_name="flotilla_ai_tokens")
    session = {
        "id": "cs_1",
        "created": NOW,
        "payment_status": "paid",
        "customer": "cus_1",
        "subscription": "sub_1",
        "metadata": {"organization_id": str(subscriber), "checkout_id": opened["id"], "plan": "pro"},
    }
    told = await _tell(selling, PLATFORM_ORG, _event("checkout.session.completed", session), PLATFORM_SECRET)
    assert told.json() == {"outcome": "taken"}
    assert (await _settled(selling, subscriber, opened))["state"] == "completed"
    assert await _state(selling, subscriber) == ("pro", "trialing", "local"), "until Stripe tells of it"
    began = _event("customer.subscription.created", _subscription(subscriber))
    assert (await _tell(selling, PLATFORM_ORG, began, PLATFORM_SECRET)).json() == {"outcome": "taken"}
    assert await _state(selling, subscriber) == ("pro", "active", "stripe")
    told_on = await selling.spy.expect(SubscriptionUpdated, lambda event: event.org == subscriber)
    assert (told_on.data.plan, told_on.data.state) == ("pro", "active")
    stranger = selling.client(new_id())
    assert (await stranger.get(f"/v1/checkouts/{opened['id']}")).status == 404


async def test_the_newest_state_of_a_subscription_stays_whatever_comes_later(
    selling: Harness, subscriber: UUID
) -> None:
    changes = [
        _event("customer.subscription.updated", _subscription(subscriber, "enterprise"), NOW + 20),
        _event("customer.subscription.created", _subscription(subscriber, "pro"), NOW),
        _event("customer.subscription.updated", _subscription(subscriber, status="past_due"), NOW + 10),
    ]
    for event in changes:
        for outcome in ("taken", "known"):
            answer = await _tell(selling, PLATFORM_ORG, event, PLATFORM_SECRET)
            assert answer.json() == {"outcome": outcome}
    assert await _state(selling, subscriber) == ("enterprise", "active", "stripe")
    await selling.spy.expect(SubscriptionUpdated, lambda event: event.org == subscriber)
    assert len(selling.spy.of(SubscriptionUpdated, subscriber)) == 1

    deleted = _event("customer.subscription.deleted", _subscription(subscriber, status="canceled"), NOW + 30)
    late = _event("customer.subscription.updated", _subscription(subscriber, "enterprise"), NOW + 40)
    for event in (deleted, late):
        await _tell(selling, PLATFORM_ORG, event, PLATFORM_SECRET)
    assert (await _state(selling, subscriber))[1:] == ("cancelled", "local")
    await selling.spy.expect(SubscriptionCancelled, lambda event: event.org == subscriber)
    usage = (await selling.client(subscriber).get("/v1/usage")).json()["items"]
    assert next(each for each in usage if each["feature"] == "kyb")["enabled"] is False


async def test_stripe_may_be_faster_than_the_word_of_a_new_organization(selling: Harness, org: UUID) -> None:
    event = _event("customer.subscription.created", _subscription(org, "enterprise"))
    await _tell(selling, PLATFORM_ORG, event, PLATFORM_SECRET)
    assert await _state(selling, org) == ("enterprise", "active", "stripe")
    await selling.publish(organization(org), org=org, sequence=1)
    await selling.publish(SubscriptionRequested(request_id=new_id()), org=org, sequence=1)
    await selling.publish(_used(1), org=org, sequence=1)
    await eventually(lambda: _is_used(selling, org))
    assert await _state(selling, org) == ("enterprise", "active", "stripe")


async def test_the_same_event_many_times_at_once_is_taken_once(selling: Harness, subscriber: UUID) -> None:
    event = _event("customer.subscription.created", _subscription(subscriber))
    answers = await asyncio.gather(*(_tell(selling, PLATFORM_ORG, event, PLATFORM_SECRET) for _ in range(6)))
    assert sorted(answer.json()["outcome"] for answer in answers) == ["known"] * 5 + ["taken"]


async def test_of_two_states_of_one_second_stripe_is_asked(
    selling: Harness, subscriber: UUID, stripe_mock: StripeMock
) -> None:
    for status in ("active", "past_due"):
        event = _event("customer.subscription.updated", _subscription(subscriber, status=status))
        await _tell(selling, PLATFORM_ORG, event, PLATFORM_SECRET)

    # Stripe's mock answers that it is active, whatever was told last.
    async def settled() -> bool:
        return await _state(selling, subscriber) == ("pro", "active", "stripe")

    await eventually(settled, what="Stripe's answer is taken")
    assert len(stripe_mock.to(f"/v1/subscriptions/sub_{subscriber.hex}")) == 1


async def test_what_is_not_signed_by_stripe_is_refused(selling: Harness, subscriber: UUID) -> None:
    event = _event("customer.subscription.created", _subscription(subscriber, "enterprise"))
    assert (await _tell(selling, PLATFORM_ORG, event, "whsec_of_somebody_else")).status == 401
    assert (await _tell(selling, PLATFORM_ORG, event, PLATFORM_SECRET, NOW - 3600)).status == 401
    assert (await _tell(selling, new_id(), event, PLATFORM_SECRET)).status == 404
    path = f"/v1/hooks/stripe/{PLATFORM_ORG}"
    assert (await selling.anonymous().post(path, event)).status == 401
    broken = {"id": "evt_1", "type": "customer.subscription.created"}
    assert (await _tell(selling, PLATFORM_ORG, broken, PLATFORM_SECRET)).status == 400
    assert (await _state(selling, subscriber))[2] == "local"


async def test_an_own_account_says_nothing_of_the_plan(selling: Harness, subscriber: UUID) -> None:
    keys = {"secret_key": "sk_test_123", "webhook_secret": SECRET}
    assert (await selling.client(subscriber).put("/v1/stripe-account", keys)).json()["connected"] is True
    event = _event("customer.subscription.created", _subscription(subscriber, "enterprise"))
    assert (await _tell(selling, subscriber, event, SECRET)).json() == {"outcome": "ignored"}
    assert await _state(selling, subscriber) == ("pro", "trialing", "local")
    other = new_id()
    session = {"id": "cs", "metadata": {"organization_id": str(other)}}
    await _tell(selling, subscriber, _event("checkout.session.completed", session), SECRET)
    async with selling.app.db.transaction(subscriber) as tx:
        sealed = await tx.fetchval("SELECT sealed FROM stripe_accounts")
    assert SECRET.encode() not in sealed


async def test_a_customer_pays_an_invoice_by_its_link(selling: Harness, subscriber: UUID) -> None:
    mine = selling.client(subscriber)
    invoice = await issued(mine)
    path = f"/v1/invoices/{invoice['id']}"
    assert (await mine.post(f"{path}/checkouts")).status == 409  # no account yet
    await mine.put("/v1/stripe-account", {"secret_key": "sk_test_123", "webhook_secret": SECRET})
    asked = await mine.post(f"{path}/checkouts")
    opened = await _settled(selling, subscriber, asked.json())
    assert opened["state"] == "open", opened["reason"]
    metadata = {"invoice_id": invoice["id"], "checkout_id": opened["id"]}
    intent = {"id": "pi_1", "amount": 11900, "currency": "eur", "metadata": metadata}
    failed = _event(
        "payment_intent.payment_failed", {**intent, "last_payment_error": {"message": "Card declined."}}
    )
    session = {
        "id": "cs_2",
        "created": NOW,
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": 11900,
        "currency": "eur",
        "metadata": metadata,
    }
    for told in (failed, _event("checkout.session.completed", session), failed):
        assert (await _tell(selling, subscriber, told, SECRET)).status == 200
    # The same payment under another event, as Stripe tells of money that took its time.
    await _tell(selling, subscriber, _event("checkout.session.async_payment_succeeded", session), SECRET)
    paid = (await mine.get(path)).json()
    assert (paid["state"], paid["open"]["amount_minor"]) == ("paid", 0)
    await selling.spy.expect(InvoicePaid, lambda event: event.org == subscriber)
    refused = await selling.spy.expect(PaymentFailed, lambda event: event.org == subscriber)
    assert (refused.data.reason, refused.data.method) == ("Card declined.", "stripe")
    assert len(selling.spy.of(PaymentSucceeded, subscriber)) == 1

    charge = {"id": "ch_1", "payment_intent": "pi_1", "refunded": True}
    await _tell(selling, subscriber, _event("charge.refunded", charge), SECRET)
    await selling.spy.expect(PaymentRefunded, lambda event: event.org == subscriber)
    assert (await mine.get(path)).json()["state"] == "issued"


async def test_money_for_an_invoice_that_is_not_owed_is_not_lost(selling: Harness, subscriber: UUID) -> None:
    mine = selling.client(subscriber)
    await mine.put("/v1/stripe-account", {"secret_key": "sk_test_123", "webhook_secret": SECRET})
    invoice = await issued(mine)
    opened = await _settled(
        selling, subscriber, (await mine.post(f"/v1/invoices/{invoice['id']}/checkouts")).json()
    )
    await mine.post(f"/v1/invoices/{invoice['id']}/void", {"reason": "Wrong"})
    session = {
        "id": "cs_3",
        "created": NOW,
        "payment_status": "paid",
        "payment_intent": "pi_3",
        "amount_total": 11900,
        "currency": "eur",
        "metadata": {"invoice_id": invoice["id"], "checkout_id": opened["id"]},
    }
    await _tell(selling, subscriber, _event("checkout.session.completed", session), SECRET)
    told = await _settled(selling, subscriber, opened)
    assert (told["state"], "Give it back in Stripe" in told["reason"]) == ("completed", True)


async def test_use_past_the_limit_is_told_to_the_meter_once(
    selling: Harness, subscriber: UUID, stripe_mock: StripeMock
) -> None:
    await _tell(
        selling,
        PLATFORM_ORG,
        _event("customer.subscription.created", _subscription(subscriber, "pro")),
        PLATFORM_SECRET,
    )
    limit = plans().plans["pro"].features["ai_requests"].limit
    assert limit is not None
    customer = {"payload[stripe_customer_id]": f"cus_{subscriber.hex}"}
    for requests, told in ((limit - 3, 0), (10, 1), (5, 2)):
        used = _used(requests)
        event_id = await selling.publish(used, org=subscriber, sequence=1)
        await selling.publish(used, org=subscriber, sequence=1, event_id=event_id)

        async def heard(times: int = told) -> bool:
            return len(stripe_mock.to("/v1/billing/meter_events", **customer)) == times

        await eventually(heard, what="the meter was told")
        await eventually(lambda: _is_used(selling, subscriber))
    calls = stripe_mock.to("/v1/billing/meter_events", **customer)
    assert [call.form["payload[value]"] for call in calls] == ["7", "5"]
    assert {call.form["event_name"] for call in calls} == {"flotilla_ai_requests"}
    assert len({call.form["identifier"] for call in calls}) == 2


async def test_a_paid_subscription_ends_with_its_period_at_stripe(
    selling: Harness, subscriber: UUID, stripe_mock: StripeMock
) -> None:
    owner = selling.client(subscriber)
    told = _event("customer.subscription.created", _subscription(subscriber))
    await _tell(selling, PLATFORM_ORG, told, PLATFORM_SECRET)
    assert (await owner.post("/v1/subscription/checkouts", {"plan": "pro"})).status == 409
    assert (await owner.post("/v1/subscription/ending", {"cancel_at_period_end": True})).status == 202

    async def asked() -> bool:
        return len(stripe_mock.to(f"/v1/subscriptions/sub_{subscriber.hex}")) == 1

    await eventually(asked, what="Stripe was asked")
    (call,) = stripe_mock.to(f"/v1/subscriptions/sub_{subscriber.hex}")
    assert call.form == {"cancel_at_period_end": "true"}
    assert call.idempotency_key is not None


async def test_without_stripe_a_subscription_ends_at_once(billing: Harness, firm: Firm) -> None:
    assert (await firm.client.post("/v1/subscription/ending", {"cancel_at_period_end": True})).status == 202
    told = await billing.spy.expect(SubscriptionCancelled, lambda event: event.org == firm.org)
    assert told.data.changed["state"] == ["trialing", "cancelled"]
    assert (await firm.client.post("/v1/subscription/checkouts", {"plan": "pro"})).status == 409
    assert (await firm.client.put("/v1/subscription", {"plan": "pro"})).json()["state"] == "active"
    assert (await _tell(billing, PLATFORM_ORG, _event("any", {}), PLATFORM_SECRET)).status == 404


def _used(requests: int) -> UsageRecorded:
    now = datetime.now(UTC)
    return UsageRecorded(
        usage_id=new_id(),
        provider="local",
        model="rules",
        requests=requests,
        input_tokens=0,
        output_tokens=0,
        started_at=now,
        ended_at=now,
    )


async def _is_used(harness: Harness, org: UUID) -> bool:
    usage = (await harness.client(org).get("/v1/usage")).json()
    return any(each["feature"] == "ai_requests" and each["used"] > 0 for each in usage["items"])
