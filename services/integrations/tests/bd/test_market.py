"""Buying and renting: reserved, paid, handed over, assigned; or given back, with the money."""

import asyncio
from uuid import UUID

from flotilla.events.bd_accounts import (
    BdAccountConnected,
    BdAccountDisconnected,
    BdAccountHandedOver,
    BdAccountHandoverFailed,
    BdAccountHandoverRequested,
    BdAccountPurchased,
    BdAccountReleased,
    BdAccountRented,
    BdAccountRevoked,
    BdAccountRevokeFailed,
    BdAccountRevokeRequested,
    BidiAssigned,
    BidiUnassigned,
)
from flotilla.events.billing import PaymentRefundRequested, PaymentRequested
from flotilla.ids import new_id

from services.integrations.tests.bd.conftest import Market

LATER = "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = $2"


async def test_it_is_bought_and_changes_hands(market: Market) -> None:
    await market.offers()
    seller, buyer = market.seller, market.buyer
    listed = (await buyer.get("/v1/bd-offers?network=telegram&limit=100")).json()["items"]
    assert market.offer["id"] in [each["id"] for each in listed]
    assert market.account["id"] not in str(listed)
    purchase = await market.buys()
    assert (await buyer.get(f"/v1/bd-offers/{market.offer['id']}")).status == 404
    asked = await market.pays()
    assert (asked.amount_minor, asked.currency) == (4_900, "EUR")
    assert asked.reference == f"bd_purchase:{purchase['id']}"
    bought = await market.hears(BdAccountPurchased, buyer.org)
    assert (bought.data.user_id, bought.data.daily_limit) == (buyer.user_id, 40)
    await market.hears(BidiAssigned, buyer.org, lambda event: event.data.user_id == buyer.user_id)
    account = bought.data.bd_account_id
    assert market.hook.endswith(str(account))
    gone = await market.hears(BdAccountDisconnected, seller.org, lambda event: event.data.state == "sold")
    assert gone.data.bd_account_id == market.account_id
    sold = await market.becomes(seller, f"/v1/accounts/{market.account['id']}", state="disconnected")
    async with market.integrations.app.db.transaction(seller.org) as tx:
        assert await tx.fetchval("SELECT sealed FROM accounts WHERE id = $1", market.account_id) is None
    assert sold["id"] == market.account["id"]
    shown = await market.becomes(buyer, f"/v1/bd-purchases/{purchase['id']}", state="done")
    assert shown["bd_account_id"] == str(account)
    (saga,) = (await buyer.get(f"/v1/sagas/integrations?subject_id={purchase['id']}")).json()["items"]
    assert [(step["name"], step["state"]) for step in saga["steps"]] == [
        ("payment", "done"),
        ("hand_over", "done"),
    ]
    mine = await market.becomes(buyer, f"/v1/accounts/{account}", state="connected")
    assert mine["name"] == "Warm bot"
    assert (await seller.get(f"/v1/bd-purchases/{purchase['id']}")).status == 404


async def test_one_has_it_however_many_want_it(market: Market) -> None:
    await market.offers()
    path = f"/v1/bd-offers/{market.offer['id']}/purchase"
    clients = [market.integrations.client(new_id()) for _ in range(6)]
    answers = await asyncio.gather(*(client.post(path, {}) for client in clients))
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert (await market.seller.post(path, {})).status == 409
    assert (await market.seller.delete(f"/v1/bd-offers/{market.offer['id']}")).status == 409
    assert (await market.buyer.delete(f"/v1/bd-offers/{market.offer['id']}")).status == 404


async def test_what_is_not_paid_is_released(market: Market) -> None:
    await market.offers()
    purchase = await market.buys()
    await market.pays("The prepaid balance does not cover it: top it up.")
    released = await market.hears(BdAccountReleased, market.buyer.org)
    assert "does not cover" in (released.data.reason or "")
    await market.becomes(market.buyer, f"/v1/bd-purchases/{purchase['id']}", state="failed")
    await market.becomes(market.buyer, f"/v1/bd-offers/{market.offer['id']}", state="open")
    assert not market.integrations.spy.of(BdAccountHandoverRequested, market.buyer.org)
    assert market.hook.endswith(market.account["id"])


async def test_what_cannot_be_handed_over_is_refunded(market: Market) -> None:
    await market.offers()
    purchase = await market.buys()
    market.telegram.revoke(market.token)
    await market.pays()
    failed = await market.hears(BdAccountHandoverFailed, market.buyer.org)
    assert "token" in failed.data.reason
    undo = await market.refunds()
    assert "hand_over" in undo.reason
    released = await market.hears(BdAccountReleased, market.buyer.org)
    assert released.data.purchase_id is not None
    shown = await market.becomes(market.buyer, f"/v1/bd-purchases/{purchase['id']}", state="failed")
    assert (await market.buyer.get(f"/v1/bd-accounts/{shown['bd_account_id']}")).status == 404
    assert not market.integrations.spy.of(BdAccountPurchased, market.buyer.org)


async def test_a_rent_ends_by_itself_and_the_seller_has_it_again(market: Market) -> None:
    await market.offers("rent", rent_days=7)
    purchase = await market.buys()
    await market.pays()
    rented = await market.hears(BdAccountRented, market.buyer.org)
    assert rented.data.rent_ends_at is not None
    assert (rented.data.rent_ends_at - rented.envelope.time).days in (6, 7)
    await market.becomes(market.seller, f"/v1/bd-accounts/{market.account['id']}", state="lent")
    assert (await market.seller.delete(f"/v1/bd-accounts/{market.account['id']}")).status == 409
    mine = f"/v1/bd-accounts/{rented.data.bd_account_id}"
    resold = {"bd_account_id": str(rented.data.bd_account_id), "kind": "sale", "title": "Mine?"}
    price = {"price": {"amount_minor": 1, "currency": "EUR"}}
    assert (await market.buyer.post("/v1/bd-offers", resold | price)).status == 409
    await market.integrations.app.db.execute(LATER, market.buyer.org, "bd_rent_ended")
    released = await market.hears(BdAccountReleased, market.buyer.org)
    assert (released.data.reason, released.data.user_id) == ("The rent has ended.", None)
    await market.hears(BidiUnassigned, market.buyer.org)
    await market.becomes(market.buyer, mine, state="released")
    await market.becomes(market.buyer, f"/v1/bd-purchases/{purchase['id']}", state="released")
    await market.becomes(market.seller, f"/v1/bd-accounts/{market.account['id']}", state="connected")
    assert market.hook.endswith(market.account["id"])
    assert market.integrations.spy.of(BdAccountConnected, market.seller.org)
    await market.becomes(market.buyer, f"/v1/bd-offers/{market.offer['id']}", state="open")


async def test_a_rent_is_given_back_before_its_time(market: Market) -> None:
    await market.offers("rent", rent_days=7)
    await market.buys()
    await market.pays()
    rented = await market.hears(BdAccountRented, market.buyer.org)
    assert (await market.buyer.delete(f"/v1/bd-accounts/{rented.data.bd_account_id}")).status == 204
    released = await market.hears(BdAccountReleased, market.buyer.org)
    assert released.data.reason == "It was given back."
    await market.becomes(market.seller, f"/v1/bd-accounts/{market.account['id']}", state="connected")


async def test_a_revoke_that_comes_first_refuses_the_hand_over(market: Market) -> None:
    org, purchase = market.buyer.org, new_id()
    wish = BdAccountHandoverRequested(request_id=new_id(), purchase_id=purchase)
    undo = BdAccountRevokeRequested(
        request_id=new_id(), purchase_id=purchase, cancels=wish.request_id, reason="late"
    )
    await market.integrations.publish(undo, org=org)
    await market.hears(BdAccountRevoked, org)
    await market.integrations.publish(wish, org=org)
    failed = await market.hears(BdAccountHandoverFailed, org)
    assert failed.data.reason == "cancelled"


async def test_what_was_handed_over_is_taken_back(market: Market) -> None:
    """As a saga does that had no answer in time: the payment is still awaited, so it is not this one's."""
    await market.offers()
    purchase = await market.buys()
    org, id_ = market.buyer.org, UUID(purchase["id"])
    wish = BdAccountHandoverRequested(request_id=new_id(), purchase_id=id_)
    await market.integrations.publish(wish, org=org)
    handed = await market.hears(BdAccountHandedOver, org)
    await market.becomes(market.seller, f"/v1/bd-accounts/{market.account['id']}", state="lent")
    undo = BdAccountRevokeRequested(
        request_id=new_id(), purchase_id=id_, cancels=wish.request_id, reason="no answer in time"
    )
    await market.integrations.publish(undo, org=org)
    await market.hears(BdAccountRevoked, org)
    account = (await market.buyer.get(f"/v1/accounts/{handed.data.bd_account_id}")).json()
    assert account["state"] == "disconnected"
    await market.becomes(market.seller, f"/v1/bd-accounts/{market.account['id']}", state="connected")
    assert market.hook.endswith(market.account["id"])
    await market.pays("No money.")
    await market.becomes(market.buyer, f"/v1/bd-offers/{market.offer['id']}", state="open")


async def test_what_is_complete_is_not_revoked(market: Market) -> None:
    await market.offers()
    await market.buys()
    await market.pays()
    org = market.buyer.org
    handed = await market.hears(BdAccountHandedOver, org)
    await market.hears(BdAccountPurchased, org)
    undo = BdAccountRevokeRequested(
        request_id=new_id(),
        purchase_id=handed.data.purchase_id,
        cancels=handed.data.request_id,
        reason="late",
    )
    await market.integrations.publish(undo, org=org)
    refused = await market.hears(BdAccountRevokeFailed, org)
    assert refused.data.request_id == undo.request_id


async def test_who_may_spend_money(market: Market) -> None:
    await market.offers()
    member = market.integrations.client(market.buyer.org, "team_member")
    assert (await member.post(f"/v1/bd-offers/{market.offer['id']}/purchase", {})).status == 403
    wrong = {"bd_account_id": market.account["id"], "kind": "rent", "title": "x"}
    price = {"price": {"amount_minor": 1, "currency": "EUR"}}
    assert (await market.seller.post("/v1/bd-offers", wrong | price)).status == 422
    assert not market.integrations.spy.of(PaymentRequested, market.buyer.org)
    assert not market.integrations.spy.of(PaymentRefundRequested, market.buyer.org)
