"""Accounts, calendars, calls, partners' subscriptions and the market in every order that their lists offer."""

from typing import Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_list, check_orders
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla_integrations.store import connectors as store

from services.integrations.tests.conftest import Connect

HOOK = {"kind": "webhook", "types": ["deal.won.v1"], "url": "https://erp.example.com/in"}
CALENDAR = {"settings": {"url": "http://127.0.0.1:1/"}, "credentials": {"username": "a", "password": "b"}}
DELIVERED = """
INSERT INTO partner_deliveries (organization_id, id, subscription_id, event_id, type, body, state)
SELECT $1::uuid, id, $2::uuid, id, 'deal.won.v1', '', 'delivered' FROM unnest($3::uuid[]) AS id"""
PRICE = {"amount_minor": 4_900, "currency": "EUR"}
BY_TIME = ("-created_at", "created_at")


async def _post(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), (path, answer.body)
    return str(answer.json()["id"])


async def _offered(client: Client, account: dict[str, Any], name: str) -> str:
    renamed = await client.patch(f"/v1/accounts/{account['id']}", {"name": name})
    assert renamed.status == 200, renamed.body
    added = await _post(client, "/v1/bd-accounts", {"account_id": account["id"]})
    wanted = {"bd_account_id": added, "kind": "sale", "title": name, "price": PRICE}
    return await _post(client, "/v1/bd-offers", wanted)


async def _called(integrations: Harness, org: UUID, account_id: str) -> None:
    for _ in range(4):
        async with integrations.app.db.transaction(org) as tx:
            whom = (new_id(), new_id(), "+493012345678", None)
            await tx.execute(store.ADD_CALL, org, new_id(), UUID(account_id), *whom)


async def _delivered(integrations: Harness, org: UUID, subscription_id: str) -> None:
    """How deliveries come about is tested elsewhere."""
    async with integrations.app.db.transaction(org) as tx:
        await tx.execute(DELIVERED, org, UUID(subscription_id), [new_id() for _ in NAMES])


async def test_every_order_of_every_list(
    integrations: Harness, org: UUID, admin: Client, telegram: TelegramSimulator, connect: Connect
) -> None:
    owner, buyer = integrations.client(org), integrations.client(new_id())
    accounts = [await connect("telegram", {"token": telegram.add_bot()}) for _ in range(4)]
    offers = [
        await _offered(owner, account, name) for account, name in zip(accounts, NAMES[1:5], strict=True)
    ]
    await _called(integrations, org, accounts[0]["id"])
    for name in NAMES:
        await _post(owner, "/v1/calendars", {**CALENDAR, "name": name})
        subscription = await _post(admin, "/v1/partner-subscriptions", {**HOOK, "name": name})
    await _delivered(integrations, org, subscription)
    market = {"list_bd_offers", "list_bd_purchases"}
    walked = await check_orders("integrations", owner, {"subscription_id": subscription}, without=market)
    named = {"list_accounts", "list_calendars", "list_bd_accounts", "list_partner_subscriptions"}
    assert set(walked) == named | {"list_calls", "list_deliveries"}
    await check_list(owner, "/v1/bd-offers", BY_TIME, mine="true")
    for offer in offers:
        await _post(buyer, f"/v1/bd-offers/{offer}/purchase", {})
    await check_list(buyer, "/v1/bd-purchases", BY_TIME)
