"""Another plan for a paid subscription, what it would cost, the portal, tax ids: against Stripe's own mock server."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.billing import SubscriptionUpdated
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Client, Harness, eventually

from services.billing.tests.conftest import PLATFORM_SECRET, StripeMock
from services.billing.tests.test_stripe import NOW, _event, _subscription, _tell, subscriber

__all__ = ["subscriber"]


@pytest.fixture
async def paying(selling: Harness, subscriber: UUID, stripe_mock: StripeMock) -> AsyncIterator[UUID]:
    """An organization on Pro, paid through Stripe."""
    told = _event("customer.subscription.created", _subscription(subscriber))
    await _tell(selling, PLATFORM_ORG, told, PLATFORM_SECRET)
    yield subscriber
    stripe_mock.said.clear()


async def _done(client: Client, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    asked = await client.post(path, body)
    assert (asked.status, asked.json()["state"]) == (202, "pending"), asked.body

    async def answered() -> dict[str, Any] | None:
        shown: dict[str, Any] = (await client.get(f"/v1/stripe-requests/{asked.json()['id']}")).json()
        return shown if shown["state"] != "pending" else None

    found = await eventually(answered, what="Stripe was asked")
    assert found is not None
    return found


async def test_a_plan_is_changed_as_its_preview_said(
    selling: Harness, paying: UUID, stripe_mock: StripeMock
) -> None:
    owner = selling.client(paying)
    subscription = f"/v1/subscriptions/sub_{paying.hex}"
    stripe_mock.said["/v1/invoices/create_preview"] = {"amount_due": 34_500, "currency": "eur"}
    preview = await _done(owner, "/v1/subscription/previews", {"plan": "enterprise"})
    assert preview["state"] == "done", preview["reason"]
    assert (preview["result"]["due_minor"], preview["result"]["currency"]) == (34_500, "EUR")
    (asked,) = stripe_mock.to("/v1/invoices/create_preview", subscription=f"sub_{paying.hex}")
    assert asked.form["subscription_details[proration_behavior]"] == "create_prorations"
    assert not [call for call in stripe_mock.to(subscription) if call.form], "nothing is changed by asking"

    at = preview["result"]["prorated_at"]
    changed_to = _subscription(paying, "enterprise")
    (item,) = changed_to["items"]["data"]
    item |= {"id": "si_1", "price": {"id": "price_of_before", "lookup_key": item["price"]["lookup_key"]}}
    stripe_mock.said[subscription] = changed_to
    changed = await _done(owner, "/v1/subscription/changes", {"plan": "enterprise", "prorated_at": at})
    assert changed["state"] == "done", changed["reason"]
    (call,) = [call for call in stripe_mock.to(subscription) if call.form]
    assert call.idempotency_key == f"change:{changed['id']}"
    assert call.form["proration_date"] == asked.form["subscription_details[proration_date]"]
    assert call.form["metadata[plan]"] == "enterprise"
    gone = [name for name in call.form if name.endswith("[deleted]")]
    assert gone, "the old plan's prices go"
    await selling.spy.expect(
        SubscriptionUpdated, lambda event: event.org == paying and event.data.plan == "enterprise"
    )
    assert (await owner.post("/v1/subscription/changes", {"plan": "enterprise"})).status == 409


async def test_the_portal_and_tax_ids(selling: Harness, paying: UUID, stripe_mock: StripeMock) -> None:
    owner = selling.client(paying)
    portal = await _done(owner, "/v1/subscription/portals")
    assert portal["result"]["url"].startswith("https://")
    assert stripe_mock.to("/v1/billing_portal/sessions", customer=f"cus_{paying.hex}")
    added = await _done(owner, "/v1/subscription/tax-ids", {"type": "eu_vat", "value": " DE123456789 "})
    assert added["state"] == "done", added["reason"]
    (call,) = stripe_mock.to(f"/v1/customers/cus_{paying.hex}/tax_ids")
    assert (call.form, call.idempotency_key) == (
        {"type": "eu_vat", "value": "DE123456789"},
        f"tax_id:{added['id']}",
    )
    refused = await _done(owner, "/v1/subscription/tax-ids", {"type": "xx_none", "value": "12345"})
    assert refused["state"] == "failed"
    assert refused["reason"]
    stranger = selling.client(new_id())
    assert (await stranger.get(f"/v1/stripe-requests/{added['id']}")).status == 404


async def test_ending_is_taken_back(selling: Harness, paying: UUID, stripe_mock: StripeMock) -> None:
    owner = selling.client(paying)
    for cancel in (True, False):
        assert (await owner.post("/v1/subscription/ending", {"cancel_at_period_end": cancel})).status == 202

        async def asked(said: str = str(cancel).lower()) -> bool:
            return bool(stripe_mock.to(f"/v1/subscriptions/sub_{paying.hex}", cancel_at_period_end=said))

        await eventually(asked)
        told = _subscription(paying, cancel_at_period_end=cancel)
        at = NOW + (10 if cancel else 20)
        await _tell(selling, PLATFORM_ORG, _event("customer.subscription.updated", told, at), PLATFORM_SECRET)
        assert (await owner.get("/v1/subscription")).json()["cancel_at_period_end"] is cancel


async def test_who_does_not_pay_through_stripe_has_nothing_to_change(
    selling: Harness, subscriber: UUID
) -> None:
    owner = selling.client(subscriber)
    assert (await owner.post("/v1/subscription/changes", {"plan": "enterprise"})).status == 409
    assert (await owner.post("/v1/subscription/changes", {"plan": "free"})).status == 422
    assert (await owner.post("/v1/subscription/portals")).status == 409
    assert (
        await owner.post("/v1/subscription/tax-ids", {"type": "eu_vat", "value": "DE123456789"})
    ).status == 409
    member = selling.client(subscriber, role="team_member")
    assert (await member.post("/v1/subscription/portals")).status == 403


async def test_whose_account_money_goes_to_is_said_by_people_who_have_just_signed_in(
    selling: Harness, subscriber: UUID
) -> None:
    program = selling.client(subscriber, scopes=("billing:write",))
    keys = {"secret_key": "sk_test_123", "webhook_secret": "whsec_of_somebody_else"}
    for client in (program, selling.client(subscriber, authenticated_seconds_ago=601)):
        for path, body in (("/v1/stripe-account", keys), ("/v1/subscription", {"plan": "enterprise"})):
            refused = await client.put(path, body)
            assert (refused.status, refused.json()["type"]) == (401, "/problems/step-up-required"), path
    noted = {"amount": {"amount_minor": 100, "currency": "EUR"}}
    let_in = await program.post("/v1/wallet/top-ups", noted)
    assert (let_in.status, "charged to the card" in let_in.json()["detail"]) == (409, True), "by its scope"
