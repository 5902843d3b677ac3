"""The list of partners' subscriptions in every order that it offers."""

from uuid import UUID

from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders

HOOK = {"kind": "webhook", "types": ["deal.won.v1"], "url": "https://erp.example.com/in"}


async def test_every_order_of_every_list(partners: Harness, org: UUID, admin: Client) -> None:
    for name in NAMES:
        answer = await admin.post("/v1/partner-subscriptions", {**HOOK, "name": name})
        assert answer.status == 201, answer.body
    assert await check_orders("integrations", admin, {}) == ["list_partner_subscriptions"]
