"""Accounts that business development writes from: limits, warm-up, who writes from them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flotilla.events.bd_accounts import (
    BdAccountConnected,
    BdAccountDisconnected,
    BidiAssigned,
    BidiUnassigned,
)
from flotilla.events.integrations import ChannelMessageSent
from flotilla.ids import new_id
from flotilla.testing import eventually
from flotilla.testing.clock import same_hour
from flotilla_integrations.bd.domain import limit_at, next_day

from services.integrations.tests.bd.conftest import Market

NOON = datetime(2030, 5, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(("day", "may"), [(0, 10), (1, 28), (2, 46), (4, 82), (5, 100), (50, 100), (-1, 10)])
def test_it_is_warmed_up_step_by_step(day: int, may: int) -> None:
    assert limit_at(100, NOON, 5, NOON + timedelta(days=day)) == may


def test_no_warm_up_and_small_limits() -> None:
    assert limit_at(7, None, 0, NOON) == 7
    assert limit_at(3, NOON, 30, NOON) == 1
    assert next_day(NOON) == datetime(2030, 5, 7, tzinfo=UTC)


async def test_it_is_connected_changed_and_assigned(market: Market) -> None:
    org, id_ = market.seller.org, market.account_id
    path = f"/v1/bd-accounts/{id_}"
    connected = await market.hears(BdAccountConnected, org)
    assert (connected.data.bd_account_id, connected.data.acquired) == (id_, "own")
    again = await market.seller.post("/v1/bd-accounts", {"account_id": str(id_)})
    assert again.status == 409
    changed = await market.seller.patch(path, {"daily_limit": 100, "warm_up_days": 10})
    assert (changed.json()["limit_today"], changed.json()["sent_today"]) == (10, 0)
    assert (await market.seller.patch(path, {}, headers={"If-Match": '"1"'})).status == 412
    first, second = new_id(), new_id()
    for person in (first, first, second):
        assert (await market.seller.put(f"{path}/assignment", {"user_id": str(person)})).status == 200
    assert (await market.seller.delete(f"{path}/assignment")).status == 204
    await market.hears(BidiUnassigned, org, lambda event: event.data.user_id == second)
    told = [event.data.user_id for event in market.integrations.spy.of(BidiAssigned, org)]
    assert told == [first, second]
    assigned = market.integrations.spy.of(BidiAssigned, org)[0]
    assert assigned.envelope.audience == f"user:{first}"
    assert (await market.buyer.get(path)).status == 404
    assert (await market.buyer.get("/v1/bd-accounts")).json()["items"] == []


async def test_it_follows_its_connected_account(market: Market) -> None:
    org, path = market.seller.org, f"/v1/accounts/{market.account['id']}"
    market.telegram.revoke(market.token)
    await market.seller.post(f"{path}/check")
    gone = await market.hears(BdAccountDisconnected, org)
    assert "token" in (gone.data.reason or "")
    offer = {"bd_account_id": market.account["id"], "kind": "sale", "title": "Bot"}
    price = {"price": {"amount_minor": 1, "currency": "EUR"}}
    assert (await market.seller.post("/v1/bd-offers", offer | price)).status == 409


async def test_no_more_goes_out_in_a_day_than_may(market: Market, talk: Callable[..., Any]) -> None:
    await same_hour()
    path = f"/v1/bd-accounts/{market.account['id']}"
    await market.seller.patch(path, {"daily_limit": 2})
    conversations = [talk(market.account) for _ in range(4)]
    for number, conversation in enumerate(conversations):
        await conversation.send(f"Offer {number}", 1)
    org = market.seller.org

    async def held_back() -> bool:
        rows = await market.integrations.app.db.fetch(
            "SELECT 1 FROM jobs WHERE organization_id = $1 AND kind = 'send' AND due_at > now() + interval '1 second'",
            org,
        )
        return len(rows) == 2 and len(market.integrations.spy.of(ChannelMessageSent, org)) == 2

    await eventually(held_back, what="two are sent, two wait for tomorrow")
    assert sum(sent.token == market.token for sent in market.telegram.sent) == 2
    assert (await market.seller.get(path)).json()["sent_today"] == 2


async def test_disconnecting_it_disconnects_the_account(market: Market) -> None:
    await market.offers()
    assert (await market.seller.delete(f"/v1/bd-accounts/{market.account['id']}")).status == 204
    await market.hears(BdAccountDisconnected, market.seller.org)
    shown = (await market.seller.get(f"/v1/bd-offers/{market.offer['id']}")).json()
    assert shown["state"] == "withdrawn"
