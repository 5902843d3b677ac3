"""The trial that an organization's onboarding asks for and takes back, in whatever order the wishes come."""

from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.billing import (
    EntitlementChanged,
    SubscriptionCancelFailed,
    SubscriptionCancelled,
    SubscriptionCancelRequested,
    SubscriptionCreated,
    SubscriptionFailed,
    SubscriptionRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Harness

Wish = SubscriptionRequested | SubscriptionCancelRequested


async def _ask(billing: Harness, org: UUID, wish: Wish) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="service:auth")
    await billing.publish(wish, org=org, sequence=1, cause=cause)


async def _answer(billing: Harness, wish: Wish, type_: Any) -> Any:
    return await billing.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


def _wished() -> SubscriptionRequested:
    return SubscriptionRequested(request_id=new_id())


def _back(wish: SubscriptionRequested) -> SubscriptionCancelRequested:
    return SubscriptionCancelRequested(
        request_id=new_id(), cancels=wish.request_id, reason="inbox: no answer in time"
    )


async def test_a_trial_is_taken_back_and_begins_again(billing: Harness, org: UUID) -> None:
    wish = _wished()
    await _ask(billing, org, wish)
    first = await _answer(billing, wish, SubscriptionCreated)
    back = _back(wish)
    await _ask(billing, org, back)

    gone = await _answer(billing, back, SubscriptionCancelled)

    assert (gone.data.subscription_id, gone.data.state) == (first.data.subscription_id, "cancelled")
    assert (await billing.client(org).get("/v1/subscription")).json()["state"] == "cancelled"
    again = _wished()
    await _ask(billing, org, again)
    told = await _answer(billing, again, SubscriptionCreated)
    assert (told.data.subscription_id, told.data.state) == (first.data.subscription_id, "trialing")
    assert first.sequence < gone.sequence < told.sequence
    kyb = await billing.spy.expect(
        EntitlementChanged,
        lambda event: event.org == org and "kyb" in event.data.feature and event.sequence > 2,
    )
    assert kyb.data.enabled


async def test_a_wish_that_was_taken_back_before_it_came_is_refused(billing: Harness, org: UUID) -> None:
    wish = _wished()
    back = _back(wish)
    await _ask(billing, org, back)
    await _answer(billing, back, SubscriptionCancelled)

    await _ask(billing, org, wish)

    assert (await _answer(billing, wish, SubscriptionFailed)).data.reason == "cancelled"
    assert (await billing.client(org).get("/v1/subscription")).json()["state"] == "cancelled"


async def test_what_is_paid_for_is_not_taken_back(billing: Harness, org: UUID) -> None:
    wish = _wished()
    await _ask(billing, org, wish)
    await _answer(billing, wish, SubscriptionCreated)
    chosen = await billing.client(org).put("/v1/subscription", {"plan": "pro"})
    assert chosen.status == 200, chosen.body
    back = _back(wish)

    await _ask(billing, org, back)

    assert (await _answer(billing, back, SubscriptionCancelFailed)).data.reason == "in_use"
    assert (await billing.client(org).get("/v1/subscription")).json()["state"] == "active"


async def test_a_wish_that_comes_twice_is_answered_once(billing: Harness, org: UUID) -> None:
    wish = _wished()
    await _ask(billing, org, wish)
    await _answer(billing, wish, SubscriptionCreated)
    await _ask(billing, org, wish)
    other = _wished()
    await _ask(billing, org, other)
    await _answer(billing, other, SubscriptionCreated)

    answers = billing.spy.of(SubscriptionCreated, org)

    assert [event.envelope.requestid for event in answers] == [wish.request_id, other.request_id]
