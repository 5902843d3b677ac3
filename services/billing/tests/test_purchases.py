"""What other services have an organization pay for: once, exactly, and given back whatever comes first."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.billing import (
    PaymentFailed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundRequested,
    PaymentRequested,
    PaymentSucceeded,
)
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Harness, eventually

from services.billing.tests.conftest import PLATFORM_SECRET, Firm, StripeMock
from services.billing.tests.test_stripe import _event, _subscription, _tell, subscriber

__all__ = ["subscriber"]


def wish(**fields: Any) -> PaymentRequested:
    """To pay 25.00 for a connector."""
    given: dict[str, Any] = {
        "request_id": new_id(),
        "amount_minor": 2_500,
        "currency": "EUR",
        "purpose": "Connector “Acme ERP”",
        "reference": f"install:{new_id()}",
    }
    return PaymentRequested(**given | fields)


def undo(of: PaymentRequested) -> PaymentRefundRequested:
    """To have it back."""
    return PaymentRefundRequested(request_id=new_id(), cancels=of.request_id, reason="Could not be installed")


async def paid(harness: Harness, asked: PaymentRequested) -> PaymentSucceeded:
    """The answer: yes."""
    event = await harness.spy.expect(
        PaymentSucceeded, lambda event: event.data.payment_id == asked.request_id
    )
    assert event.envelope.requestid == asked.request_id
    assert event.envelope.audience is None
    return event.data


async def refused(harness: Harness, asked: PaymentRequested) -> PaymentFailed:
    """The answer: no."""
    event = await harness.spy.expect(PaymentFailed, lambda event: event.data.payment_id == asked.request_id)
    assert event.envelope.requestid == asked.request_id
    return event.data


async def given_back(harness: Harness, asked: PaymentRefundRequested) -> PaymentRefunded:
    """The undo's answer: yes."""
    event = await harness.spy.expect(
        PaymentRefunded, lambda event: event.envelope.requestid == asked.request_id
    )
    assert (event.data.payment_id, event.data.request_id) == (asked.cancels, asked.request_id)
    return event.data


async def topped_up(firm: Firm, amount: int) -> None:
    """Money came."""
    body = {"amount": {"amount_minor": amount, "currency": "EUR"}, "text": "Transfer"}
    answer = await firm.client.post("/v1/wallet/top-ups", body)
    assert answer.status == 201, answer.body


async def balance(firm: Firm) -> int:
    """What is left, in cents; as the ledger has it too."""
    shown = (await firm.client.get("/v1/wallet")).json()["balances"]
    entries = (await firm.client.get("/v1/wallet/entries")).json()["items"]
    assert sum(each["amount"]["amount_minor"] for each in entries) == shown[0]["amount_minor"]
    return int(shown[0]["amount_minor"])


async def test_a_wish_is_paid_once_from_the_balance(billing: Harness, firm: Firm) -> None:
    await topped_up(firm, 6_000)
    asked = wish()
    event_id = await billing.publish(asked, org=firm.org)
    await billing.publish(asked, org=firm.org, event_id=event_id)  # redelivered
    await billing.publish(asked, org=firm.org)  # told again
    told = await paid(billing, asked)
    assert (told.amount.amount_minor if told.amount else None, told.method) == (2_500, "balance")
    assert (told.purpose, told.reference, told.invoice_id) == (asked.purpose, asked.reference, None)
    second = wish(amount_minor=3_500)
    await billing.publish(second, org=firm.org)
    await paid(billing, second)
    third = wish(amount_minor=1)
    await billing.publish(third, org=firm.org)
    assert "top it up" in (await refused(billing, third)).reason
    assert await balance(firm) == 0
    assert len(billing.spy.of(PaymentSucceeded, firm.org)) == 2
    shown = (await firm.client.get(f"/v1/purchases/{asked.request_id}")).json()
    assert (shown["state"], shown["purpose"]) == ("succeeded", asked.purpose)
    listed = (await firm.client.get("/v1/purchases")).json()["items"]
    assert [each["state"] for each in listed] == ["failed", "succeeded", "succeeded"]
    assert (await billing.client(new_id()).get(f"/v1/purchases/{asked.request_id}")).status == 404


async def test_a_balance_is_never_overdrawn_however_many_ask_at_once(billing: Harness, firm: Firm) -> None:
    await topped_up(firm, 10_000)
    wishes = [wish() for _ in range(9)]
    await asyncio.gather(*(billing.publish(each, org=firm.org) for each in wishes))

    async def answered() -> bool:
        told = [len(billing.spy.of(type_, firm.org)) for type_ in (PaymentSucceeded, PaymentFailed)]
        return told == [4, 5]

    await eventually(answered, what="each has its answer")
    assert await balance(firm) == 0


async def test_money_is_given_back_once(billing: Harness, firm: Firm) -> None:
    await topped_up(firm, 2_500)
    asked = wish()
    await billing.publish(asked, org=firm.org)
    await paid(billing, asked)
    back = undo(asked)
    for _ in range(3):
        await billing.publish(back, org=firm.org)
    told = await given_back(billing, back)
    assert told.amount is not None
    assert await balance(firm) == 2_500
    again = undo(asked)
    await billing.publish(again, org=firm.org)
    await given_back(billing, again)
    assert await balance(firm) == 2_500
    kinds = [each["kind"] for each in (await firm.client.get("/v1/wallet/entries")).json()["items"]]
    assert kinds == ["refund", "payment", "top_up"]


async def test_an_undo_that_comes_first_refuses_the_wish(billing: Harness, firm: Firm) -> None:
    await topped_up(firm, 2_500)
    asked = wish()
    back = undo(asked)
    await billing.publish(back, org=firm.org)
    assert (await given_back(billing, back)).amount is None
    await billing.publish(asked, org=firm.org)
    assert (await refused(billing, asked)).reason == "cancelled"
    assert await balance(firm) == 2_500


async def test_what_cannot_be_paid(billing: Harness, firm: Firm) -> None:
    await topped_up(firm, 2_500)
    for fields in ({"amount_minor": 0}, {"amount_minor": -5}, {"amount_minor": 10**30}, {"currency": "EURO"}):
        asked = wish(**fields)
        await billing.publish(asked, org=firm.org)
        assert (await refused(billing, asked)).reason
    member = billing.client(firm.org, role="team_member")
    top_up = {"amount": {"amount_minor": 1, "currency": "EUR"}}
    assert (await member.post("/v1/wallet/top-ups", top_up)).status == 403
    assert (
        await firm.client.post("/v1/wallet/top-ups", {"amount": {"amount_minor": -1, "currency": "EUR"}})
    ).status == 422
    assert await balance(firm) == 2_500


@pytest.fixture
async def paying(selling: Harness, subscriber: UUID, stripe_mock: StripeMock) -> AsyncIterator[UUID]:
    """An organization that pays for its plan through Stripe."""
    told = _event("customer.subscription.created", _subscription(subscriber))
    await _tell(selling, PLATFORM_ORG, told, PLATFORM_SECRET)
    stripe_mock.said["/v1/payment_intents"] = {"id": "pi_77", "status": "succeeded"}
    yield subscriber
    stripe_mock.said.clear()


async def test_with_stripe_the_subscriptions_card_is_charged(
    selling: Harness, paying: UUID, stripe_mock: StripeMock
) -> None:
    asked = wish(amount_minor=4_200)
    for _ in range(2):
        await selling.publish(asked, org=paying)
    told = await paid(selling, asked)
    assert told.method == "stripe"
    (call,) = stripe_mock.to("/v1/payment_intents", **{"metadata[purchase_id]": str(asked.request_id)})
    assert call.idempotency_key == f"purchase:{asked.request_id}"
    assert (
        call.form.items()
        >= {"amount": "4200", "currency": "eur", "off_session": "true", "confirm": "true"}.items()
    )
    assert call.form["customer"] == f"cus_{paying.hex}"
    intent = {"id": "pi_77", "amount": 4200, "currency": "eur", "metadata": {}}
    metadata = {"organization_id": str(paying), "purchase_id": str(asked.request_id)}
    succeeded = _event("payment_intent.succeeded", intent | {"metadata": metadata})
    await _tell(selling, PLATFORM_ORG, succeeded, PLATFORM_SECRET)  # told as well: changes nothing

    back = undo(asked)
    await selling.publish(back, org=paying)
    await given_back(selling, back)
    (refund,) = stripe_mock.to("/v1/refunds", payment_intent="pi_77")
    assert refund.idempotency_key == f"purchase-refund:{asked.request_id}:{back.request_id}"
    assert len(selling.spy.of(PaymentSucceeded, paying)) == 1
    top_up = {"amount": {"amount_minor": 1, "currency": "EUR"}}
    assert (await selling.client(paying).post("/v1/wallet/top-ups", top_up)).status == 409


async def test_a_card_that_asks_its_holder_is_not_charged_behind_their_back(
    selling: Harness, paying: UUID, stripe_mock: StripeMock
) -> None:
    stripe_mock.said["/v1/payment_intents"] = {"id": "pi_78", "status": "requires_action"}
    asked = wish()
    await selling.publish(asked, org=paying)
    assert "confirm" in (await refused(selling, asked)).reason
    assert stripe_mock.to("/v1/payment_intents/pi_78/cancel")


async def test_money_on_its_way_is_answered_when_it_comes_and_given_back_where_that_was_asked(
    selling: Harness, paying: UUID, stripe_mock: StripeMock
) -> None:
    stripe_mock.said["/v1/payment_intents"] = {"id": "pi_79", "status": "processing"}
    came, failed = wish(), wish()
    for asked in (came, failed):
        await selling.publish(asked, org=paying)
    back = undo(came)
    await selling.publish(back, org=paying)
    for asked, type_ in ((came, "payment_intent.succeeded"), (failed, "payment_intent.payment_failed")):
        metadata = {"organization_id": str(paying), "purchase_id": str(asked.request_id)}
        intent = {"id": "pi_79", "amount": 2500, "currency": "eur", "metadata": metadata}
        error = {"last_payment_error": {"message": "No funds."}}
        await _known(selling, paying, asked, back if asked is came else None)
        for _ in range(2):
            await _tell(selling, PLATFORM_ORG, _event(type_, intent | error), PLATFORM_SECRET)
    await paid(selling, came)
    await given_back(selling, back)
    assert (await refused(selling, failed)).reason == "No funds."


async def _known(
    harness: Harness, org: UUID, asked: PaymentRequested, back: PaymentRefundRequested | None
) -> None:
    async def there() -> bool:
        async with harness.app.db.transaction(org) as tx:
            row = await tx.fetchrow("SELECT * FROM purchases WHERE id = $1", asked.request_id)
        return row is not None and row["refund_request_id"] == (back.request_id if back else None)

    await eventually(there)


async def test_a_refund_that_stripe_refuses_is_said(
    selling: Harness, paying: UUID, stripe_mock: StripeMock
) -> None:
    stripe_mock.said["/v1/refunds"] = {"status": "failed"}
    asked = wish()
    await selling.publish(asked, org=paying)
    await paid(selling, asked)
    back = undo(asked)
    await selling.publish(back, org=paying)
    told = await selling.spy.expect(
        PaymentRefundFailed, lambda event: event.data.request_id == back.request_id
    )
    assert (told.data.cancels, told.envelope.requestid) == (asked.request_id, back.request_id)
    shown = (await selling.client(paying).get(f"/v1/purchases/{asked.request_id}")).json()
    assert shown["state"] == "succeeded"
