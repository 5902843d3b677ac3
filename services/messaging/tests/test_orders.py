"""The list of conversations in every order that it offers."""

from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.orders import check_orders
from flotilla.testing.simulators.channel import Channel

from services.messaging.tests.conftest import Received

MANY = 5


async def test_every_order_of_every_list(messaging: Harness, org: UUID, received: Received) -> None:
    client = messaging.client(org)
    for _ in range(MANY):
        await received(to=Channel(new_id()))

    async def all_there() -> bool:
        return len((await client.get("/v1/conversations")).json()["items"]) == MANY

    await eventually(all_there, what="every conversation is listed")
    # Inboxes are made by sagas of other services.
    walked = await check_orders("messaging", client, {}, without={"list_inboxes"})
    assert walked == ["list_conversations"]
    found = (await client.get("/v1/conversations?state=open&state=snoozed")).json()["items"]
    assert len(found) == MANY
    assert (await client.get("/v1/conversations?state=resolved")).json()["items"] == []
